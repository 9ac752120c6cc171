// From probabilities to a mask, as util/score/mask_rule.py has it. A mask is a Uint8Array [H * W] of 0 and 1.
function maskOf(values, width, rule) {
  if (rule.area) {
    let reached = 0;
    for (const value of values) reached += value >= rule.top;
    if (reached < rule.area) return new Uint8Array(values.length);
  }
  let mask = Uint8Array.from(values, (value) => value >= rule.threshold);
  if (rule.fill_holes) {
    const { parts, borders } = partsOf(mask, width, 0, false);
    mask = mask.map((one, i) => (one || !borders.has(parts[i]) ? 1 : 0));
  }
  if (!rule.min_area && !rule.keep_largest) return mask;
  const { parts, sizes } = partsOf(mask, width, 1, true);
  const order = sizes.map((_, i) => i).slice(1).sort((a, b) => sizes[b] - sizes[a] || a - b);
  const kept = new Set(order.slice(0, rule.keep_largest || order.length).filter((i) => sizes[i] >= rule.min_area));
  return mask.map((one, i) => (one && kept.has(parts[i]) ? 1 : 0));
}

// The connected parts of the pixels of one kind, numbered from 1 in the order of their first pixel.
// corners: pixels that touch at a corner are connected, too. borders: the parts that reach the image's border.
function partsOf(mask, width, kind, corners) {
  const height = mask.length / width, parts = new Int32Array(mask.length), sizes = [0], borders = new Set();
  const waiting = new Int32Array(mask.length);
  for (let start = 0; start < mask.length; start++) {
    if (mask[start] !== kind || parts[start]) continue;
    const part = sizes.length;
    let [first, last] = [0, 1];
    [waiting[0], parts[start]] = [start, part];
    while (first < last) {
      const at = waiting[first++], x = at % width, y = (at - x) / width;
      if (!x || !y || x === width - 1 || y === height - 1) borders.add(part);
      for (let dy = -1; dy <= 1; dy++)
        for (let dx = -1; dx <= 1; dx++) {
          const next = at + dy * width + dx;
          if ((!corners && dx && dy) || x + dx < 0 || x + dx >= width || y + dy < 0 || y + dy >= height) continue;
          if (mask[next] === kind && !parts[next]) [parts[next], waiting[last++]] = [part, next];
        }
    }
    sizes.push(last);
  }
  return { parts, sizes, borders };
}
