// A DICOM file with one grey image, as data/read/dicom.py reads it: rescale, first window, MONOCHROME1 inverted.
// Uncompressed, RLE, JPEG baseline (8 bits). Whatever it cannot read is an error that says so.
const LONG = new Set(["OB", "OW", "OF", "OD", "OL", "OV", "SQ", "UC", "UN", "UR", "UT", "SV", "UV"]);
const SYNTAXES = {
  "1.2.840.10008.1.2": "implicit",
  "1.2.840.10008.1.2.1": "explicit",
  "1.2.840.10008.1.2.5": "rle",
  "1.2.840.10008.1.2.4.50": "jpeg",
};
const OTHERS = {
  "1.2.840.10008.1.2.1.99": "deflated",
  "1.2.840.10008.1.2.2": "big endian",
  "1.2.840.10008.1.2.4.51": "JPEG of 12 bits",
  "1.2.840.10008.1.2.4.57": "lossless JPEG",
  "1.2.840.10008.1.2.4.70": "lossless JPEG",
  "1.2.840.10008.1.2.4.80": "JPEG-LS",
  "1.2.840.10008.1.2.4.81": "JPEG-LS",
  "1.2.840.10008.1.2.4.90": "JPEG 2000",
  "1.2.840.10008.1.2.4.91": "JPEG 2000",
};

function isDicom(bytes) {
  return bytes.length > 132 && String.fromCharCode(...bytes.subarray(128, 132)) === "DICM";
}

async function readDicom(bytes) {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const meta = {}, header = {};
  const start = readElements(view, 132, false, meta, (group) => group !== 2);
  const syntax = text(meta["00020010"]), kind = SYNTAXES[syntax];
  if (!kind) throw new Error(`a DICOM image whose compression (${OTHERS[syntax] ?? syntax}) this page cannot read`);
  readElements(view, start, kind === "implicit", header, () => false);
  const number = (tag, other) => (header[tag] ? new DataView(header[tag].slice().buffer).getUint16(0, true) : other);
  const first = (tag) => (text(header[tag]) ? parseFloat(text(header[tag]).split("\\")[0]) : undefined);
  const about = {
    rows: number("00280010"), columns: number("00280011"), allocated: number("00280100"), bits: number("00280101"),
    signed: number("00280103", 0) === 1, photometric: text(header["00280004"]),
    slope: first("00281053") ?? 1, intercept: first("00281052") ?? 0,
    center: first("00281050"), width: first("00281051"), function: text(header["00281056"]),
  };
  refuseDicom(about, header, number, first);
  const data = header["7fe00010"];
  const stored = await storedValues(kind, data, about);
  const shades = shadesOf(about), pixels = new Float32Array(stored.length), last = shades.length - 1;
  for (let i = 0; i < stored.length; i++) pixels[i] = shades[stored[i] & last];
  const white = about.bits <= 8 ? 255 : 65535;
  return { pixels, channels: 1, height: about.rows, width: about.columns, white, spacing: spacingOf(header) };
}

function refuseDicom(about, header, number, first) {
  if (!about.rows || !about.columns || !header["7fe00010"]) throw new Error("a DICOM file without an image in it");
  tooLarge(about.columns, about.rows);
  if ((first("00280008") ?? 1) !== 1) throw new Error("a DICOM file of several frames");
  if (!/^MONOCHROME[12]$/.test(about.photometric) || number("00280002", 1) !== 1)
    throw new Error("a DICOM image in colour; X-rays are grey");
  if (!(about.allocated === 8 || about.allocated === 16) || !(about.bits >= 1 && about.bits <= about.allocated))
    throw new Error(`a DICOM image of ${about.bits} bits stored in ${about.allocated}; 1 to 16 can be read`);
  if (number("00280102", about.bits - 1) !== about.bits - 1)
    throw new Error("a DICOM image whose highest bit is not where the standard wants it");
  if (header["00283000"] || header["00283010"])
    throw new Error("a DICOM image whose grey values need a lookup table, which this page does not apply");
}

// Elements from `at` on into `found`, by tags like "00280010"; sequences are kept without their content.
function readElements(view, at, implicit, found, stop) {
  while (at + 8 <= view.byteLength) {
    const group = view.getUint16(at, true), tag = hex(group) + hex(view.getUint16(at + 2, true));
    if (stop(group)) return at;
    let vr = implicit ? "" : String.fromCharCode(view.getUint8(at + 4), view.getUint8(at + 5)), length;
    if (implicit) [length, at] = [view.getUint32(at + 4, true), at + 8];
    else if (LONG.has(vr)) [length, at] = [view.getUint32(at + 8, true), at + 12];
    else [length, at] = [view.getUint16(at + 6, true), at + 8];
    const end = length === 0xffffffff ? (tag === "7fe00010" ? view.byteLength : endOfSequence(view, at, implicit)) : at + length;
    if (end > view.byteLength) throw new Error("the DICOM file is damaged or cut short");
    found[tag] = new Uint8Array(view.buffer, view.byteOffset + at, end - at);
    if (tag === "7fe00010") return end;
    at = end;
  }
  return at;
}

// The place behind a sequence of undefined length.
function endOfSequence(view, at, implicit) {
  while (at + 8 <= view.byteLength) {
    const tag = hex(view.getUint16(at, true)) + hex(view.getUint16(at + 2, true)), length = view.getUint32(at + 4, true);
    at += 8;
    if (tag === "fffee0dd") return at;
    at = length === 0xffffffff ? readItem(view, at, implicit) : at + length;
  }
  throw new Error("the DICOM file is damaged or cut short");
}

// The place behind an item of undefined length, which ends with the element FFFE,E00D.
function readItem(view, at, implicit) {
  while (at + 8 <= view.byteLength) {
    const group = view.getUint16(at, true), tag = hex(group) + hex(view.getUint16(at + 2, true));
    if (tag === "fffee00d") return at + 8;
    let read = 0;
    at = readElements(view, at, implicit, {}, () => read++ > 0);
  }
  throw new Error("the DICOM file is damaged or cut short");
}

function hex(number) {
  return number.toString(16).padStart(4, "0");
}

function text(bytes) {
  return bytes ? String.fromCharCode(...bytes.subarray(0, 200)).replace(/[\0 ]+$/, "").trim() : "";
}

async function storedValues(kind, data, about) {
  const size = about.rows * about.columns, damaged = new Error("the DICOM file is damaged, its image cannot be decoded");
  if (kind === "jpeg") {
    const picture = await readByBrowser(new Blob(fragments(data), { type: "image/jpeg" }));
    if (picture.channels !== 1 || picture.width !== about.columns || picture.height !== about.rows) throw damaged;
    return picture.pixels;
  }
  const bytes = kind === "rle" ? unpacked(fragments(data), size, about.allocated / 8) : data;
  if (bytes.length < (size * about.allocated) / 8) throw damaged;
  return about.allocated === 8 ? bytes.subarray(0, size) : new Uint16Array(bytes.slice(0, 2 * size).buffer);
}

// The pieces of a compressed image, without the table of offsets before them.
function fragments(data) {
  const view = new DataView(data.buffer, data.byteOffset, data.byteLength), pieces = [];
  for (let at = 0; at + 8 <= data.length && view.getUint16(at + 2, true) === 0xe000; ) {
    const length = view.getUint32(at + 4, true);
    pieces.push(data.subarray(at + 8, at + 8 + length));
    at += 8 + length;
  }
  return pieces.slice(1);
}

// RLE (PS3.5 annex G): a segment for each byte of a value, the higher byte first.
function unpacked(pieces, size, bytes) {
  const whole = new Uint8Array(pieces.reduce((sum, piece) => sum + piece.length, 0));
  pieces.reduce((at, piece) => (whole.set(piece, at), at + piece.length), 0);
  const view = new DataView(whole.buffer), values = new Uint8Array(size * bytes);
  if (whole.length < 64 || view.getUint32(0, true) !== bytes) throw new Error("the DICOM file is damaged");
  for (let segment = 0; segment < bytes; segment++) {
    const end = segment + 1 < bytes ? view.getUint32(8 + 4 * segment, true) : whole.length;
    let to = bytes - 1 - segment;
    for (let at = view.getUint32(4 + 4 * segment, true); at < end && to < values.length; ) {
      const code = whole[at++];
      for (let i = 0; code !== 128 && i < (code < 128 ? code + 1 : 257 - code) && to < values.length; i++, to += bytes)
        values[to] = code < 128 ? whole[at + i] : whole[at];
      at += code < 128 ? code + 1 : code > 128 ? 1 : 0;
    }
    if (to < values.length) throw new Error("the DICOM file is damaged or cut short");
  }
  return values;
}

// The shade of every value that the stored bits can hold.
function shadesOf({ bits, signed, photometric, slope, intercept, ...window }) {
  const count = 2 ** bits, white = bits <= 8 ? 255 : 65535, shades = new Float32Array(count);
  const value = (i) => (signed && i >= count / 2 ? i - count : i) * slope + intercept;
  const ends = signed ? [value(count / 2), value(count / 2 - 1)] : [value(0), value(count - 1)];
  const [low, high] = [Math.min(...ends), Math.max(...ends)];
  if (low === high) throw new Error("the DICOM header makes all values equal");
  const shade = windowOf(window) ?? ((x) => (x - low) / (high - low));
  for (let i = 0; i < count; i++) {
    const x = shade(value(i)), y = Math.min(1, Math.max(0, photometric === "MONOCHROME1" ? 1 - x : x)) * white;
    shades[i] = halfToEven(y);
  }
  return shades;
}

function windowOf({ center, width, function: kind }) {
  const exact = kind === "LINEAR_EXACT" || kind === "SIGMOID";
  if (!Number.isFinite(center) || !Number.isFinite(width) || !(width >= 1 || (exact && width > 0))) return null;
  if (kind === "SIGMOID") return (x) => 1 / (1 + Math.exp((-4 * (x - center)) / width));
  const [middle, across] = exact ? [center, width] : [center - 0.5, width - 1];
  return across === 0 ? (x) => +(x > middle) : (x) => (x - middle) / across + 0.5;
}

function halfToEven(x) {
  const floor = Math.floor(x);
  return x - floor === 0.5 ? floor + (floor % 2) : Math.round(x);
}

// mm per pixel (rows, columns) and whether they are those at the detector; null if the header has none.
function spacingOf(header) {
  for (const tag of ["00280030", "00181164", "00182010"]) {
    const mm = text(header[tag]).split("\\").map(Number);
    const magnified = tag === "00181164" ? Number(text(header["00181114"])) || 0 : 0;
    if (mm.length === 2 && mm.every((x) => x > 0 && x < Infinity))
      return { mm: mm.map((x) => x / (magnified || 1)), detector: tag !== "00280030" && !magnified };
  }
  return null;
}
