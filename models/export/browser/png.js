// PNG of 8 or 16 bits, grey or RGB, without interlacing: a browser's own decoder would cut 16 bits to 8.
// Returns {pixels: Float32Array [C, H, W], channels, height, width, white}, or null for a PNG of another kind.
async function readPng(bytes) {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const [width, height, bits, kind] = [view.getUint32(16), view.getUint32(20), bytes[24], bytes[25]];
  if (!(bits === 8 || bits === 16) || !(kind === 0 || kind === 2) || bytes[28]) return null;
  const data = [];
  for (let at = 8; at + 12 <= bytes.length; ) {
    const length = view.getUint32(at), name = String.fromCharCode(...bytes.subarray(at + 4, at + 8));
    if (name === "tRNS" || name === "eXIf") return null;
    if (name === "IDAT") data.push(bytes.subarray(at + 8, at + 8 + length));
    at += 12 + length;
  }
  tooLarge(width, height);
  const channels = kind === 2 ? 3 : 1, step = (channels * bits) / 8, row = width * step;
  const raw = new Uint8Array(await inflated(new Blob(data), "deflate"));
  if (raw.length < height * (row + 1)) throw new Error("the image is damaged or cut short");
  unfilter(raw, height, row, step);
  const pixels = new Float32Array(channels * height * width);
  for (let y = 0; y < height; y++)
    for (let x = 0; x < width; x++)
      for (let c = 0; c < channels; c++) {
        const at = y * (row + 1) + 1 + x * step + (c * bits) / 8;
        pixels[(c * height + y) * width + x] = bits === 8 ? raw[at] : raw[at] * 256 + raw[at + 1];
      }
  return { pixels, channels, height, width, white: 2 ** bits - 1 };
}

function unfilter(raw, height, row, step) {
  for (let y = 0; y < height; y++) {
    const at = y * (row + 1) + 1, up = at - row - 1, filter = raw[at - 1];
    for (let i = 0; i < row; i++) {
      const a = i < step ? 0 : raw[at + i - step], b = y ? raw[up + i] : 0, c = y && i >= step ? raw[up + i - step] : 0;
      const p = a + b - c, pa = Math.abs(p - a), pb = Math.abs(p - b), pc = Math.abs(p - c);
      raw[at + i] += [0, a, b, (a + b) >> 1, pa <= pb && pa <= pc ? a : pb <= pc ? b : c][filter];
    }
  }
}

async function inflated(blob, format) {
  return new Response(blob.stream().pipeThrough(new DecompressionStream(format))).arrayBuffer();
}

// Any other picture, by the browser's decoder, with 8 bits. A grey picture gets one channel.
async function readByBrowser(blob) {
  let bitmap;
  try {
    bitmap = await createImageBitmap(blob, { colorSpaceConversion: "none" });
  } catch {
    throw new Error("not an image that this browser can read; PNG, JPEG and DICOM work");
  }
  const { width, height } = bitmap;
  tooLarge(width, height);
  const context = new OffscreenCanvas(width, height).getContext("2d", { willReadFrequently: true });
  context.fillRect(0, 0, width, height); // transparent pixels are put on black
  context.drawImage(bitmap, 0, 0);
  const rgba = context.getImageData(0, 0, width, height).data, size = width * height;
  let channels = 1;
  for (let i = 0; i < rgba.length && channels === 1; i += 4)
    if (rgba[i] !== rgba[i + 1] || rgba[i] !== rgba[i + 2]) channels = 3;
  const pixels = new Float32Array(channels * size);
  for (let c = 0; c < channels; c++) for (let i = 0; i < size; i++) pixels[c * size + i] = rgba[4 * i + c];
  return { pixels, channels, height, width, white: 255 };
}

function tooLarge(width, height) {
  if (width * height > 64e6) throw new Error(`${width} x ${height} pixels are too many for this page`);
}
