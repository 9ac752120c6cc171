// The page: a dropped file is decoded, segmented and shown. Nothing leaves it.
const element = (id) => document.getElementById(id);
const facts = JSON.parse(element("facts").textContent);
const rule = { ...facts.rule };
const state = { image: null, values: null, mask: null, name: "", threshold: rule.threshold };
let loading = null;

async function packed(id) {
  const words = atob(element(id).textContent), bytes = new Uint8Array(words.length);
  for (let i = 0; i < words.length; i++) bytes[i] = words.charCodeAt(i);
  element(id).textContent = "";
  return new Uint8Array(await inflated(new Blob([bytes]), "gzip"));
}

// The network, unpacked once: a second file may be dropped while it loads.
const loaded = () => (loading ??= load());

async function load() {
  ort.env.wasm.numThreads = 1;
  ort.env.wasm.wasmBinary = await packed("wasm");
  return ort.InferenceSession.create(await packed("model"), { executionProviders: ["wasm"] });
}

async function read(file) {
  const bytes = new Uint8Array(await file.arrayBuffer());
  if (isDicom(bytes)) return readDicom(bytes);
  if (bytes[0] === 0x89 && bytes[1] === 0x50) return (await readPng(bytes)) ?? readByBrowser(file);
  return readByBrowser(file);
}

async function open(file) {
  document.body.dataset.state = "busy";
  say("Segmenting ...");
  await new Promise((resolve) => setTimeout(resolve, 30)); // lets the browser show the line above
  try {
    const image = await read(file), began = performance.now();
    const pixels = new ort.Tensor("float32", image.pixels, [1, image.channels, image.height, image.width]);
    const white = new ort.Tensor("float32", [image.white], []);
    const { probability } = await (await loaded()).run({ image: pixels, white });
    Object.assign(state, { image, values: probability.data, name: file.name });
    draw();
    show();
    say(`${file.name}: ${image.width} x ${image.height} pixels, ${((performance.now() - began) / 1000).toFixed(1)} s`);
    document.body.dataset.state = "ready";
  } catch (error) {
    say(`${file.name}: ${error.message ?? error}`, true);
    document.body.dataset.state = "failed";
  }
}

// The X-ray itself.
function draw() {
  const { pixels, channels, height, width, white } = state.image, size = width * height;
  const picture = new ImageData(width, height);
  for (let i = 0; i < size; i++) {
    for (let c = 0; c < 3; c++) picture.data[4 * i + c] = (pixels[(channels === 3 ? c : 0) * size + i] * 255) / white;
    picture.data[4 * i + 3] = 255;
  }
  for (const id of ["xray", "overlay"]) [element(id).width, element(id).height] = [width, height];
  element("xray").getContext("2d").putImageData(picture, 0, 0);
}

// The mask over it, at the threshold of the slider.
function show() {
  if (!state.values) return;
  const { width, height } = state.image;
  state.mask = maskOf(state.values, width, { ...rule, threshold: Math.fround(state.threshold) });
  const picture = new ImageData(width, height);
  let area = 0;
  for (let i = 0; i < state.mask.length; i++)
    if (state.mask[i]) {
      picture.data.set(facts.colour, 4 * i);
      picture.data[4 * i + 3] = 255;
      area++;
    }
  element("overlay").getContext("2d").putImageData(picture, 0, 0);
  element("area").textContent = `${area.toLocaleString("en")} pixels, ${((100 * area) / state.mask.length).toFixed(1)} %`;
  if (state.image.spacing) {
    const { mm, detector } = state.image.spacing;
    element("area").textContent += `, ${((area * mm[0] * mm[1]) / 100).toFixed(1)} cm²${detector ? " at the detector" : ""}`;
  }
  element("result").hidden = false;
  opacity();
}

// The slider moves in steps of 0.001; the recorded threshold may lie between them.
function threshold(value) {
  state.threshold = element("threshold").value = value;
  element("threshold_value").textContent = value.toFixed(3);
  show();
}

function opacity() {
  element("overlay").style.opacity = element("opacity").value;
  element("opacity_value").textContent = `${Math.round(100 * element("opacity").value)} %`;
}

function say(line, wrong = false) {
  element("status").textContent = line;
  element("status").className = wrong ? "warning" : "note";
}

async function download() {
  const { width, height } = state.image, canvas = new OffscreenCanvas(width, height);
  const picture = new ImageData(width, height);
  state.mask.forEach((one, i) => picture.data.set([255 * one, 255 * one, 255 * one, 255], 4 * i));
  canvas.getContext("2d").putImageData(picture, 0, 0);
  const link = document.createElement("a");
  link.href = URL.createObjectURL(await canvas.convertToBlob({ type: "image/png" }));
  link.download = `${state.name.replace(/\.[^.]*$/, "")}_mask.png`;
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 1000);
}

element("file").addEventListener("change", (event) => event.target.files[0] && open(event.target.files[0]));
for (const kind of ["dragover", "drop"])
  document.addEventListener(kind, (event) => {
    event.preventDefault();
    if (kind === "drop" && event.dataTransfer.files[0]) open(event.dataTransfer.files[0]);
  });
element("threshold").addEventListener("input", () => threshold(Number(element("threshold").value)));
element("opacity").addEventListener("input", opacity);
element("reset").addEventListener("click", () => threshold(rule.threshold));
element("download").addEventListener("click", download);
threshold(rule.threshold);
opacity();
window.pix2mask = { state, facts }; // for programs that drive the page, such as its test
document.body.dataset.state = "waiting";
