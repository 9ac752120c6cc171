// Galleries: sort, filter, turn pages, enlarge. Without this script a page shows its first images and all tables.
"use strict";
const state = { mask: 0, outlines: true };
const galleries = [...document.querySelectorAll(".gallery")].map(start);
const viewer = makeViewer();
let current = null; // the picture that keys start from

function start(gallery) {
  const list = gallery.querySelector(".cards"), form = gallery.querySelector("form.controls");
  const kept = gallery.querySelector("template");
  const all = [...list.children, ...(kept ? kept.content.children : [])];
  const one = { list, form, all, matching: all, page: 0, size: Number(gallery.dataset.page) };
  if (form) {
    form.hidden = false;
    form.addEventListener("submit", (event) => event.preventDefault());
    form.addEventListener("input", (event) => {
      if (!changeMask(event.target)) choose(one);
    });
    form.previous.addEventListener("click", () => turn(one, one.page - 1));
    form.next.addEventListener("click", () => turn(one, one.page + 1));
    choose(one);
  }
  return one;
}

// The cards that the form asks for, in the order that it asks for.
function choose(gallery) {
  const { form, all } = gallery, [key, sign] = form.order.value.split(" ");
  const main = form.dataset.main, low = form.low?.value ?? "", high = form.high?.value ?? "";
  const name = form.search.value.toLowerCase(), source = form.source?.value ?? "";
  const value = (card, of) => Number(card.getAttribute(`data-${of}`) ?? NaN);
  const inRange = (x) => (low === "" || x >= Number(low)) && (high === "" || x <= Number(high));
  const matching = all.filter((card) => card.dataset.name.toLowerCase().includes(name)
    && (!source || card.dataset.source === source) && inRange(main ? value(card, main) : NaN));
  if (key === "name") {
    matching.sort((a, b) => a.dataset.name.localeCompare(b.dataset.name, undefined, { numeric: true }));
  } else if (key) {
    const rank = (card) => (Number.isNaN(value(card, key)) ? Infinity : sign * value(card, key)); // undefined ones last
    matching.sort((a, b) => (rank(a) === rank(b) ? 0 : rank(a) - rank(b)));
  }
  gallery.matching = matching;
  turn(gallery, 0);
}

function turn(gallery, page) {
  const { list, form, matching, size } = gallery, pages = Math.max(1, Math.ceil(matching.length / size));
  gallery.page = Math.min(Math.max(page, 0), pages - 1);
  const shown = matching.slice(gallery.page * size, (gallery.page + 1) * size);
  list.replaceChildren(...shown);
  shown.forEach(dress);
  form.count.value = `${matching.length} of ${gallery.all.length} images`
    + (pages > 1 ? `, page ${gallery.page + 1} of ${pages}` : "");
  form.previous.disabled = gallery.page === 0;
  form.next.disabled = gallery.page === pages - 1;
  form.previous.hidden = form.next.hidden = pages === 1;
}

// The mask over the image, and the image itself instead of its outlines: the first picture of a card is the image.
function changeMask(input) {
  if (input.name === "mask") state.mask = Number(input.value);
  else if (input.name === "outlines") state.outlines = input.checked;
  else return false;
  document.documentElement.style.setProperty("--mask", state.mask);
  for (const other of document.querySelectorAll("[name=mask]")) other.value = state.mask;
  for (const other of document.querySelectorAll("[name=outlines]")) other.checked = state.outlines;
  for (const gallery of galleries) [...gallery.list.children].forEach(dress);
  if (viewer.open) enlarge(current);
  return true;
}

function dress(card) {
  for (const link of card.querySelectorAll("a[data-mask]")) {
    const [stack] = link.children, [picture] = stack.children;
    link.dataset.outlined ??= picture.getAttribute("src");
    const plain = card.querySelector("a img").getAttribute("src");
    const wanted = state.outlines ? link.dataset.outlined : plain;
    if (picture.getAttribute("src") !== wanted) picture.src = wanted;
    if (state.mask > 0 && stack.children.length === 1) stack.append(layer(link, link.dataset.small ?? link.dataset.mask));
  }
}

function layer(link, source) {
  const mask = new Image();
  mask.loading = "lazy";
  mask.alt = "";
  mask.className = link.closest("[data-tinted]") ? "layer tinted" : "layer";
  mask.src = source;
  return mask;
}

function makeViewer() {
  const dialog = document.createElement("dialog");
  dialog.className = "viewer";
  dialog.innerHTML = `<p><b></b><span></span><a>open the file</a>
    <label>mask <input type="range" name="mask" min="0" max="1" step="0.05" value="0"></label>
    <label><input type="checkbox" name="outlines" checked> outlines</label>
    <button type="button">close</button></p><div class="stack"></div>`;
  dialog.addEventListener("input", (event) => changeMask(event.target));
  dialog.querySelector("button").addEventListener("click", () => dialog.close());
  dialog.querySelector(".stack").addEventListener("click", () => dialog.close());
  dialog.addEventListener("close", () => current?.focus());
  document.body.append(dialog);
  return dialog;
}

function enlarge(link) {
  current = link;
  const card = link.closest(".cards > *"), stack = viewer.querySelector(".stack"), picture = new Image();
  const plain = "mask" in link.dataset && !state.outlines;
  picture.onload = () => stack.style.setProperty("--ratio", picture.naturalWidth / picture.naturalHeight);
  picture.src = plain ? card.querySelector("a").href : link.href;
  picture.alt = link.querySelector("img").alt;
  stack.replaceChildren(picture);
  if ("mask" in link.dataset) stack.append(layer(link, link.dataset.mask));
  viewer.querySelector("b").textContent = card.dataset.name;
  viewer.querySelector("span").textContent = link.textContent.trim();
  viewer.querySelector("a").href = link.href;
  for (const label of viewer.querySelectorAll("label")) label.hidden = !("mask" in link.dataset);
  if (!viewer.open) viewer.showModal();
}

// j and k: the same picture of the next and the previous image. Left and right: another picture of the same image.
function move(images, pictures) {
  const gallery = galleries.find(({ list }) => list.contains(current)) ?? galleries[0];
  if (!gallery?.list.children.length) return;
  const known = gallery.list.contains(current), card = known ? current.closest(".cards > *") : null;
  const links = known ? [...card.querySelectorAll("a")] : [], cards = [...gallery.list.children];
  let place = known ? cards.indexOf(card) + images : 0;
  if (place < 0 || place >= cards.length) {
    const page = gallery.page + Math.sign(images);
    if (!gallery.form || page < 0 || page * gallery.size >= gallery.matching.length) return;
    turn(gallery, page);
    place = images > 0 ? 0 : gallery.list.children.length - 1;
  }
  const next = gallery.list.children[place]?.querySelectorAll("a");
  const link = next?.[Math.min(Math.max(links.indexOf(current) + pictures, 0), next.length - 1)];
  if (link) show(link);
}

function show(link) {
  current = link;
  link.closest(".cards > *").scrollIntoView({ block: "nearest" });
  if (viewer.open) enlarge(link);
  else link.focus({ preventScroll: true });
}

const MOVES = { j: [1, 0], k: [-1, 0], ArrowRight: [0, 1], ArrowLeft: [0, -1] };

document.addEventListener("keydown", (event) => {
  const step = MOVES[event.key], arrow = event.key.startsWith("Arrow");
  const field = event.target.closest("input, select, textarea");
  // A letter means nothing to a slider or a box, but arrows move a slider.
  const taken = field && (arrow || !["range", "checkbox"].includes(field.type));
  if (!step || taken || event.ctrlKey || event.metaKey || event.altKey) return;
  if (arrow && !viewer.open && !event.target.closest(".cards")) return; // the page scrolls
  event.preventDefault();
  move(...step);
});

document.addEventListener("focusin", (event) => {
  if (!viewer.open) current = event.target.closest(".cards a") ?? current;
});

document.addEventListener("click", (event) => {
  const link = event.target.closest(".cards a");
  if (!link?.querySelector("img") || event.ctrlKey || event.metaKey || event.shiftKey) return;
  event.preventDefault();
  enlarge(link);
});
