// The winners of every hidden layer for an input x, and what differs for a second input x′ or x + δ.
//
// data: bytes, see app/compute/pattern_block.py. Reports moved: { seq, moving, gallery, x, x2, compare, norm, radius, delta,
// layer, weights, phi } at most every 50 ms while the hand moves and once at the end; x and x2 are names of inputs, or
// { pixels } of a drawing. Asks again while a network is being trained, for its newest weights.

const POLL = 300; // ms between an answer and the next question while training
const LARGEST_CELL = 40; // px; twice as much on a page that shows nothing else
const TIDY = 0.65; // how much smaller cells may be for the sake of full lines
const FAINTEST = 0.3; // how much of its colour the weakest winner has
const STEP = 0.01; // of the data box: how far an arrow key moves a point; ten times with Shift
const GLYPHS = { both: "■", first: "◤", second: "◢" };

function parsed(bytes) {
  const { header, body } = headed(bytes);
  const { take, floats } = reader(body);
  const m = header.inputs.length;
  const size = product(header.shape);
  for (const input of header.inputs) input.x = floats(size);
  for (const layer of header.layers) {
    const y = floats(m * layer.n);
    const won = take(m * layer.n);
    layer.y = Array.from({ length: m }, (_, i) => y.subarray(i * layer.n, (i + 1) * layer.n));
    layer.won = Array.from({ length: m }, (_, i) => won.subarray(i * layer.n, (i + 1) * layer.n));
  }
  const gallery = header.gallery;
  if (gallery) {
    gallery.name = header.data;
    gallery.labels = take(gallery.tests);
    gallery.places = floats(2 * gallery.points);
    gallery.pointLabels = take(gallery.points);
    gallery.thumbs = take(gallery.chosen.length * size);
  }
  return header;
}

// How the units of a layer are laid out in a box of this width: cells of `cell` pixels in maps of rows × columns.
function arrangement(shape, width, cell) {
  const [maps, rows, columns] = shape.length === 3 ? shape : [1, 0, 0];
  if (shape.length === 3) {
    const gap = Math.max(4, cell);
    const across = clampTo(Math.floor((width + gap) / (columns * cell + gap)), 1, maps);
    const even = Math.ceil(maps / Math.ceil(maps / across)); // maps in a line, so that lines are alike
    return { maps, rows, columns, cell, gap, across: even, height: Math.ceil(maps / even) * (rows * cell + gap) - gap, fits: columns * cell <= width, even: maps % even === 0 };
  }
  const n = shape[0];
  const most = clampTo(Math.floor(width / cell), 1, n);
  const lines = Math.ceil(n / most);
  const tidy = n % lines === 0 ? n / lines : Math.ceil(n / lines);
  return { maps: 1, rows: lines, columns: tidy, cell, gap: 0, across: 1, height: lines * cell, fits: cell <= width, even: n % lines === 0 };
}

// The largest arrangement no higher than `height`; cells are whole pixels of the screen. One without a ragged last line is
// preferred if its cells are not much smaller.
function fittingArrangement(shape, width, height, density, largest) {
  let best = null;
  for (let q = Math.floor(largest * density); q > 0; q--) {
    const found = arrangement(shape, width, q / density);
    if (best && found.cell < TIDY * best.cell) return best;
    if (!found.fits || found.height > height) continue;
    if (found.even) return found;
    best ??= found;
  }
  return best ?? arrangement(shape, width, 1 / density);
}

// Heights for all layers: equal shares first, and what is left goes to those that can use it, small cells first.
function arrangements(shapes, width, height, density, largest = LARGEST_CELL) {
  const found = shapes.map((shape) => fittingArrangement(shape, width, height / shapes.length, density, largest));
  let left = height - found.reduce((sum, a) => sum + a.height, 0);
  for (const i of [...shapes.keys()].sort((i, j) => found[i].cell - found[j].cell)) {
    const larger = fittingArrangement(shapes[i], width, found[i].height + Math.max(left, 0), density, largest);
    left -= larger.height - found[i].height;
    found[i] = larger;
  }
  return found;
}

function placeOf(a, unit) {
  const per = a.rows * a.columns;
  const map = Math.floor(unit / per);
  const within = unit % per;
  const left = (map % a.across) * (a.columns * a.cell + a.gap);
  const top = Math.floor(map / a.across) * (a.rows * a.cell + a.gap);
  return [left + (within % a.columns) * a.cell, top + Math.floor(within / a.columns) * a.cell];
}

function unitAt(a, n, x, y) {
  const wide = a.columns * a.cell + a.gap;
  const high = a.rows * a.cell + a.gap;
  const [column, row] = [Math.floor(x / wide), Math.floor(y / high)];
  const [j, i] = [Math.floor((x - column * wide) / a.cell), Math.floor((y - row * high) / a.cell)];
  if (x < 0 || y < 0 || column >= a.across || j >= a.columns || i >= a.rows) return -1;
  const unit = (row * a.across + column) * a.rows * a.columns + i * a.columns + j;
  return unit < n ? unit : -1;
}

// Which pixels of a cell of q × q belong to a mark: 0 nothing, 1 the mark, 2 the faint ground.
const STAMPS = {
  full: () => 1,
  hollow: (x, y, q) => (Math.abs(x + 0.5 - q / 2) < q * 0.2 && Math.abs(y + 0.5 - q / 2) < q * 0.2 ? 0 : 1),
  first: (x, y, q) => (q < 5 ? (y < q / 2 ? 1 : 2) : x + y < q - 1 ? 1 : 2),
  second: (x, y, q) => (q < 5 ? (y >= q / 2 ? 1 : 2) : x + y > q - 1 ? 1 : 2),
};

const mixed = (from, to, share) => from.map((v, i) => Math.round(v + (to[i] - v) * share));

function palette(root) {
  const c = theme(root);
  const background = rgbOf(c.background);
  const ink = rgbOf(c.text);
  const named = {
    first: c.dark ? "#F08CC8" : "#B5307F",
    second: c.dark ? "#2FD0A0" : "#00805F",
    both: `rgb(${mixed(background, ink, c.dark ? 0.62 : 0.5).join(",")})`,
  };
  return { ...c, ...named, rgb: { background, ink, faint: mixed(background, ink, 0.1), positive: rgbOf(c.positive), negative: rgbOf(c.negative), first: rgbOf(named.first), second: rgbOf(named.second), both: rgbOf(named.both) } };
}

// One unit's mark and colour. In a comparison the mark says who wins; alone, the colour says how strongly.
function markOf(layer, unit, largest, c) {
  const [a, b] = layer.won;
  if (b) {
    if (a[unit] && b[unit]) return ["full", c.rgb.both];
    if (a[unit] || b[unit]) return a[unit] ? ["first", c.rgb.first] : ["second", c.rgb.second];
    return null;
  }
  if (!a[unit]) return null;
  const y = layer.y[0][unit];
  const share = FAINTEST + (1 - FAINTEST) * Math.min(Math.abs(y) / largest, 1);
  return [y < 0 ? "hollow" : "full", mixed(c.rgb.background, y < 0 ? c.rgb.negative : c.rgb.positive, share)];
}

function paintLayer(context, layer, a, density, c, left = 0, top = 0) {
  const q = Math.max(1, Math.round(a.cell * density));
  const gap = q >= 6 ? Math.max(1, Math.round(q / 12)) : 0;
  const side = q - gap;
  const wide = Math.round((a.across * (a.columns * a.cell + a.gap) - a.gap) * density);
  const high = Math.max(1, Math.round(a.height * density));
  const image = new ImageData(Math.max(wide, 1), high);
  const pixels = new Uint32Array(image.data.buffer);
  const packed = ([r, g, b]) => ((255 << 24) | (b << 16) | (g << 8) | r) >>> 0;
  const [faint, ground] = [packed(c.rgb.faint), packed(c.rgb.background)];
  let largest = 1e-12;
  for (let unit = 0; unit < layer.n; unit++) if (layer.won[0][unit]) largest = Math.max(largest, Math.abs(layer.y[0][unit]));
  for (let unit = 0; unit < layer.n; unit++) {
    const [x0, y0] = placeOf(a, unit).map((v) => Math.round(v * density));
    const mark = markOf(layer, unit, largest, c);
    const stamp = mark && STAMPS[q < 5 && mark[0] === "hollow" ? "full" : mark[0]];
    const colour = mark && packed(mark[1]);
    for (let y = 0; y < side; y++) {
      for (let x = 0; x < side; x++) {
        const kind = stamp ? stamp(x, y, side) : 2;
        if (x0 + x < wide && y0 + y < high) pixels[(y0 + y) * wide + x0 + x] = kind === 1 ? colour : kind === 2 ? faint : ground;
      }
    }
  }
  const scratch = new OffscreenCanvas(image.width, image.height);
  scratch.getContext("2d").putImageData(image, 0, 0);
  context.imageSmoothingEnabled = false;
  context.drawImage(scratch, left, top, image.width / density, image.height / density);
}

function paintImage(context, x, shape, box, left, top, side) {
  const [channels, h, w] = shape;
  const image = new ImageData(w, h);
  for (let p = 0; p < h * w; p++) {
    const pixel = [0, 1, 2].map((ch) => (255 * (x[p + (channels === 3 ? ch : 0) * h * w] - box[0])) / (box[1] - box[0]));
    image.data.set([...pixel, 255], 4 * p);
  }
  const scratch = new OffscreenCanvas(w, h);
  scratch.getContext("2d").putImageData(image, 0, 0);
  context.imageSmoothingEnabled = false;
  context.drawImage(scratch, left, top, side, side);
}

// Training points in grey, class by shape; x and the second input ringed in their colours.
function paintMap(context, d, gallery, points, side, c, left = 0, top = 0) {
  const s = canvasSurface(context, c.font);
  const [low, high] = d.box;
  const at = ([u, v]) => [left + ((u - low) / (high - low)) * side, top + ((high - v) / (high - low)) * side];
  s.rect(left, top, side, side, { fill: c.panel });
  for (let p = 0; p < gallery.points; p++) {
    const [x, y] = at([gallery.places[2 * p], gallery.places[2 * p + 1]]);
    const look = { fill: gallery.pointLabels[p] % 2 ? c.background : c.text, stroke: c.text, alpha: 0.42 };
    if (gallery.pointLabels[p] % 2) s.rect(x - 2.4, y - 2.4, 4.8, 4.8, look);
    else s.circle(x, y, 2.4, look);
  }
  s.rect(left + 0.5, top + 0.5, side - 1, side - 1, { stroke: c.border });
  points.forEach((point, i) => {
    const [x, y] = at(point);
    const colour = points.length > 1 ? (i ? c.second : c.first) : c.text;
    if (i) s.line(...at(points[0]), x, y, { stroke: c.text, width: 1.5, dash: [4, 3] });
    s.circle(x, y, 5, { fill: colour });
    s.circle(x, y, 10, { stroke: colour, width: 3 });
    s.text(x + (x > left + side - 40 ? -14 : 14), y - 12, i ? (d.state.compare === "delta" ? "x + δ" : "x′") : "x", { size: 17, weight: 700, fill: colour, align: x > left + side - 40 ? "end" : "start" });
  });
}

// How many units have the threshold's value, if some of them win and some lose.
function tiesOf(layer) {
  let threshold = Infinity;
  for (let unit = 0; unit < layer.n; unit++) if (layer.won[0][unit]) threshold = Math.min(threshold, layer.y[0][unit]);
  let losers = 0;
  let all = 0;
  for (let unit = 0; unit < layer.n; unit++) {
    if (layer.y[0][unit] !== threshold) continue;
    all += 1;
    losers += 1 - layer.won[0][unit];
  }
  return losers ? [all, threshold] : [0, threshold];
}

function headingOf(layer, i) {
  const name = `Layer ${i + 1}`;
  if (layer.won.length < 2) {
    const total = layer.shape.length === 3 ? `${layer.shape.join(" × ")} = ${layer.n}` : `${layer.n}`;
    const [tied, at] = layer.k ? tiesOf(layer) : [0];
    const ties = tied ? ` · ${tied} tie at y = ${number(at)}: lower indices win` : "";
    return [name, `${layer.counts[0]} of ${total} ${layer.k ? "win" : "are positive"}${ties}`];
  }
  const [a, b] = layer.counts;
  const wins = layer.k ? `${a} of ${layer.n} win` : `${a} and ${b} of ${layer.n} are positive`;
  return [name, `${wins} · ${layer.shared} for both · Hamming ${layer.hamming} · Jaccard ${fixed(layer.jaccard, 2)}`];
}

function formulaOf(d, i) {
  const layer = d.layers[i];
  const l = i + 1;
  if (layer.won.length > 1) {
    const union = layer.counts[0] + layer.counts[1] - layer.shared;
    return [`Layer ${l}: `, `J = |A ∩ A′| / |A ∪ A′| = ${layer.shared} / ${union} = ${fixed(layer.jaccard, 2)},  |A △ A′| = ${union} − ${layer.shared} = ${layer.hamming}`];
  }
  if (!layer.k) return [`Layer ${l}: `, `A = { j : y_j > 0 },  |A| = ${layer.counts[0]} of ${layer.n}`];
  return [`Layer ${l}: `, `A = the k largest of y,  k = ⌊γN⌋ = ⌊${number(layer.gamma)} · ${layer.n}⌋ = ${layer.k}`];
}

function describeInput(d, i) {
  const input = d.inputs[i];
  const name = i ? (d.state.compare === "delta" ? "x + δ" : "x′") : "x";
  const point = d.planar ? ` (${[...input.x].map((v) => fixed(v, 2)).join(", ")})` : "";
  const drawn = !d.planar && input.index === null && !(i && d.state.compare === "delta") ? ", drawn" : "";
  const what = input.label === null ? drawn : `, test input ${input.index}: ${d.classes[input.label]}`;
  const right = input.label === null ? "" : input.label === input.says ? " ✓" : " ✗";
  return [`${name}${point}${what}`, `says ${d.classes[input.says]}, ${input.sure > 0.9995 ? "over 99.9" : fixed(100 * input.sure, input.sure > 0.995 ? 1 : 0)} %${right}`];
}

export default mounted((root, send, first) => {
  const part = (name) => root.querySelector(`.${name}`);
  const box = part("patterns");
  const canvases = [...root.querySelectorAll("figure canvas")];
  const captions = [...root.querySelectorAll("figcaption")];
  let d = null;
  let gallery = null;
  let state = null; // what the hand wants; d.state is what the picture shows
  let slot = 0; // which input the gallery and the arrows choose: 0 is x, 1 is x′
  let ink = 15;
  let drag = null;
  let pixels = [null, null]; // a drawing under the hand, before the page has named it
  let hover = null;
  let refusal = ""; // why the number typed for a test input is none
  let colours = palette(root);
  let views = []; // one per layer shown: section, canvas, layer number, arrangement

  // ----- talking with the page

  const named = (key, i) => (pixels[i] ? { pixels: Array.from(pixels[i], (v) => v.toString(16)).join("") } : state[key]);
  const talk = reports(send, {
    values: () => ({ ...state, x: named("x", 0), x2: named("x2", 1), gallery: gallery?.name ?? "" }),
    wants: () => (!d || (d.training.done && gallery) ? null : POLL),
    busy: () => Boolean(drag),
  });
  function moved(moving = false) {
    talk.moved(moving);
    words();
  }
  function movedByKey() {
    moved(true);
    talk.rested();
  }

  function adopt(next) {
    const isOwn = !state || talk.isOwn(next.seq) || next.data !== d.data;
    talk.answered(next.seq, isOwn);
    if (next.gallery) gallery = next.gallery;
    if (gallery?.name !== next.data) gallery = null;
    if (isOwn && !drag) {
      state = { ...next.state };
      pixels = [null, null];
    }
    d = next;
    if (state.compare !== "input") slot = 0;
    box.dataset.seq = d.seq;
    box.dataset.hamming = d.layers.map((layer) => layer.hamming).join(",");
    box.dataset.pattern = d.layers.map((layer) => layer.won[0].reduce((key, won, unit) => (won ? (31 * key + unit + 1) | 0 : key), 7)).join(",");
    talk.poll();
  }

  // ----- the picture

  function look() {
    box.className = ["kwta patterns", state.compare, d.planar ? "planar" : "images", d.drawable ? "drawable" : "", state.bare ? "bare" : ""].join(" ");
    for (const group of root.querySelectorAll(".choice[data-key]")) {
      for (const button of group.children) button.setAttribute("aria-pressed", String(button.dataset.value === String(state[group.dataset.key])));
    }
    for (const button of part("tool").children) button.setAttribute("aria-pressed", String(Number(button.dataset.value) === ink));
    const select = part("layer");
    if (select.options.length !== d.layers.length + 1) {
      select.replaceChildren(new Option("all", 0), ...d.layers.map((_, i) => new Option(String(i + 1), i + 1)));
    }
    select.value = state.layer;
    const most = d.widest[state.norm];
    part("radius").value = Math.sqrt(clampTo(state.radius / most, 0, 1)); // fine steps where the radius is small
    set(part("radius-value"), number(state.radius));
  }

  // A section for every layer that is shown, as high as the window allows.
  function sections() {
    const holder = part("layers");
    const chosen = d.layers.map((_, i) => i).filter((i) => !state.layer || state.layer === i + 1);
    if (views.map((v) => v.i).join() !== chosen.join()) {
      views.forEach((v) => v.fit.stop());
      views = chosen.map((i) => section(i));
      holder.replaceChildren(...views.map((v) => v.section));
    }
    const width = Math.floor(holder.clientWidth);
    if (!width) return;
    const narrow = box.clientWidth < 640;
    const height = narrow ? clampTo(110 * views.length, 180, 420) : clampTo(window.innerHeight - (state.bare ? 155 : 265) - (state.compare === "delta" ? 40 : 0), 240, 1000) - 33 * views.length;
    const density = Math.min(window.devicePixelRatio || 1, 3);
    const found = arrangements(views.map((v) => d.layers[v.i].shape), width, height, density, LARGEST_CELL * (state.bare ? 2 : 1));
    views.forEach((v, at) => {
      v.a = found[at];
      v.canvas.style.height = `${Math.ceil(v.a.height)}px`;
    });
  }

  function section(i) {
    const element = document.createElement("section");
    const title = document.createElement("h4");
    const canvas = document.createElement("canvas");
    canvas.setAttribute("role", "img");
    canvas.dataset.layer = i + 1;
    element.append(title, canvas);
    const view = { i, section: element, title, canvas };
    view.fit = fitted(canvas, (context) => {
      if (view.a && d.layers[i]) {
        paintLayer(context, d.layers[i], view.a, Math.min(window.devicePixelRatio || 1, 3), colours);
        if (hover?.i === i) {
          const [x, y] = placeOf(view.a, hover.unit);
          canvasSurface(context).rect(x, y, view.a.cell, view.a.cell, { stroke: colours.text, width: 2 });
        }
      }
    });
    canvas.addEventListener("pointermove", (event) => {
      const area = canvas.getBoundingClientRect();
      const unit = unitAt(view.a, d.layers[i].n, event.clientX - area.left, event.clientY - area.top);
      hover = unit < 0 ? null : { i, unit };
      view.fit.redraw();
      legend();
    });
    canvas.addEventListener("pointerleave", () => {
      hover = null;
      view.fit.redraw();
      legend();
    });
    return view;
  }

  // x as the hand draws it, before the page has answered.
  function shownInput(i) {
    const size = d.box[1] - d.box[0];
    if (pixels[i]) return Float32Array.from(pixels[i], (v) => d.box[0] + (size * v) / 15);
    if (drag?.point && drag.slot === i) return drag.point;
    return d.inputs[i]?.x;
  }

  function points() {
    const all = d.inputs.map((_, i) => [...shownInput(i)]);
    // δ stays, so x + δ moves along with x until the page knows better.
    if (drag?.point && state.compare === "delta" && all[1]) all[1] = all[1].map((v, i) => clampTo(v + drag.point[i] - d.inputs[0].x[i], ...d.box));
    return all;
  }

  const fits = canvases.map((canvas, i) =>
    fitted(canvas, (context, side) => {
      if (!d || !d.inputs[i] || (d.planar && i)) return;
      if (d.planar) {
        if (gallery) paintMap(context, d, gallery, points(), side, colours);
        return;
      }
      paintImage(context, shownInput(i), d.shape, d.box, 0, 0, side);
      const s = canvasSurface(context);
      const colour = d.inputs.length > 1 ? (i ? colours.second : colours.first) : colours.border;
      s.rect(1.5, 1.5, side - 3, side - 3, { stroke: colour, width: 3 });
    }),
  );

  // Thumbnails: a row for each class, its name before it.
  function thumbPlaces(width) {
    const label = 16 + 7 * Math.max(...d.classes.map((name) => Math.min(name.length, 6)));
    const per = Math.max(...d.classes.map((_, c) => gallery.chosen.filter((t) => gallery.labels[t] === c).length));
    const high = box.clientWidth < 640 ? 400 : clampTo(window.innerHeight - 475, 200, 400);
    const cell = clampTo(Math.floor(Math.min((width - label) / per, high / d.classes.length)), 14, 40);
    const seen = {};
    return {
      label, cell, per, height: cell * d.classes.length,
      places: gallery.chosen.map((t) => {
        const c = gallery.labels[t];
        seen[c] = (seen[c] ?? -1) + 1;
        return [label + seen[c] * cell, c * cell];
      }),
    };
  }

  const thumbs = fitted(part("thumbs"), (context, width) => {
    if (!d || !gallery || d.planar) return;
    const s = canvasSurface(context, colours.font);
    const { label, cell, places } = thumbPlaces(width);
    const size = product(d.shape);
    d.classes.forEach((name, c) => s.text(label - 8, (c + 0.5) * cell, name.slice(0, 6), { size: 14, align: "end", fill: colours.text }));
    gallery.chosen.forEach((t, i) => {
      const [x, y] = places[i];
      paintImage(context, gallery.thumbs.subarray(i * size, (i + 1) * size), d.shape, [0, 255], x + 1, y + 1, cell - 2);
      const two = state.compare === "input";
      if (two && state.x2 === String(t)) s.rect(x + 1, y + 1, cell - 2, cell - 2, { stroke: colours.second, width: 3 });
      if (state.x === String(t)) s.rect(x + 1, y + 1, cell - 2, cell - 2, { stroke: two ? colours.first : colours.primary, width: 3 });
    });
  });

  function draw() {
    look();
    sections();
    if (gallery && !d.planar) {
      const width = part("thumbs").clientWidth || 290;
      part("thumbs").style.height = `${thumbPlaces(width).height}px`;
    }
    views.forEach((v) => v.fit.redraw());
    fits.forEach((f) => f.redraw());
    thumbs.redraw();
    words();
  }

  // ----- the words

  function set(element, text) {
    if (element.textContent !== text) element.textContent = text;
  }

  function pair(element, [bold, rest]) {
    if (element.dataset.text === bold + rest) return;
    element.dataset.text = bold + rest;
    const strong = document.createElement("b");
    strong.textContent = bold;
    element.replaceChildren(strong, rest);
  }

  function words() {
    views.forEach((v) => {
      pair(v.title, headingOf(d.layers[v.i], v.i));
      v.canvas.setAttribute("aria-label", headingOf(d.layers[v.i], v.i).join(": "));
    });
    const i = hover ? hover.i : state.layer ? state.layer - 1 : 0;
    pair(part("formula"), formulaOf(d, Math.min(i, d.layers.length - 1)));
    d.inputs.forEach((_, at) => {
      const [name, says] = describeInput(d, at);
      const lines = [name, says].map((text) => Object.assign(document.createElement("div"), { textContent: text }));
      captions[at].replaceChildren(...(d.planar && d.inputs[1] ? [...lines] : lines));
      canvases[at].setAttribute("aria-label", `${name}, ${says}`);
    });
    if (d.planar && d.inputs[1]) {
      captions[0].replaceChildren(...[0, 1].map((at) => Object.assign(document.createElement("div"), { textContent: describeInput(d, at).join("; ") })));
    }
    set(part("pick-name"), slot ? "x′" : "x");
    const index = part("index");
    index.max = gallery ? gallery.labels.length - 1 : 0;
    const current = state[slot ? "x2" : "x"];
    if (root.activeElement !== index && !refusal) index.value = !pixels[slot] && /^\d+$/.test(current) ? current : "";
    index.setAttribute("aria-invalid", String(Boolean(refusal)));
    const progress = part("progress");
    progress.classList.toggle("done", d.training.done);
    progress.firstElementChild.value = d.training.share;
    set(progress.lastElementChild, d.state.weights === "trained" ? d.training.words : "");
    const bar = part("thumbs");
    bar.setAttribute("aria-valuemin", 0);
    bar.setAttribute("aria-valuemax", gallery ? gallery.labels.length - 1 : 0);
    bar.setAttribute("aria-valuenow", d.inputs[slot]?.index ?? 0);
    bar.setAttribute("aria-valuetext", describeInput(d, Math.min(slot, d.inputs.length - 1)).join(", "));
    legend();
  }

  function coloured(glyph, colour, text) {
    const span = document.createElement("span");
    const mark = Object.assign(document.createElement("b"), { textContent: `${glyph} ` });
    mark.style.color = colour;
    span.append(mark, text);
    return span;
  }

  function unitText() {
    const layer = d.layers[hover.i];
    const [, rows, columns] = layer.shape;
    const within = hover.unit % (rows * columns);
    const place = layer.shape.length === 3 ? ` (map ${Math.floor(hover.unit / (rows * columns))}, row ${Math.floor(within / columns)}, column ${within % columns})` : "";
    const says = layer.won.map((won, i) => `y${i ? "′" : ""} = ${number(layer.y[i][hover.unit])} ${won[hover.unit] ? "wins" : "loses"}`);
    return `Layer ${hover.i + 1}, unit ${hover.unit}${place}: ${says.join("; ")}.`;
  }

  // What the marks mean: glyph, colour, words.
  function marks() {
    if (d.inputs.length > 1) {
      const other = d.state.compare === "delta" ? "x + δ" : "x′";
      return [[GLYPHS.both, colours.both, "wins for both"], [GLYPHS.first, colours.first, "only for x"], [GLYPHS.second, colours.second, `only for ${other}`]];
    }
    const negative = d.layers.some((layer) => layer.won[0].some((won, unit) => won && layer.y[0][unit] < 0));
    return [["■", colours.positive, "wins, y > 0 (brighter: larger)"], ...(negative ? [["▣", colours.negative, "wins, y < 0"]] : [])];
  }

  function lengths() {
    if (d.inputs.length < 2) return "";
    return `${d.state.compare === "delta" ? "δ" : "x′ − x"}: L∞ norm ${number(d.lengths[0])}, L2 norm ${number(d.lengths[1])}. `;
  }

  function legend() {
    const element = part("legend");
    if (refusal || (hover && d.layers[hover.i])) return element.replaceChildren(refusal || unitText());
    const hint = state.bare && !d.planar ? "" : d.planar ? "Drag the point, or ← → ↑ ↓." : `← → next of the class, ↑ ↓ next class${d.drawable ? "; draw on x" : ""}.`;
    element.replaceChildren(...marks().map((mark) => coloured(...mark)), lengths() + hint);
    return undefined;
  }

  function speak() {
    const all = d.layers.map((layer, i) => headingOf(layer, i).join(": ")).join(". ");
    set(part("spoken"), `${d.inputs.map((_, i) => describeInput(d, i).join(", ")).join("; ")}. ${all}.`);
  }

  // ----- the hand

  const on = [];
  function listen(element, type, call) {
    element.addEventListener(type, call);
    on.push(() => element.removeEventListener(type, call));
  }

  function choose(key, value) {
    refusal = "";
    if (key === "norm" && value !== state.norm) {
      // The same mean length: a uniform δ with |δⱼ| ≤ r has L2 norm about r √(d / 3).
      const stretch = Math.sqrt(d.entries / 3);
      state.radius = Number(clampTo(value === "l2" ? state.radius * stretch : state.radius / stretch, 0, d.widest[value]).toPrecision(3));
    }
    state[key] = value;
    if (key === "compare") slot = value === "input" ? 1 : 0;
    look();
    moved();
  }
  for (const group of root.querySelectorAll(".choice[data-key]")) {
    listen(group, "click", (event) => {
      const button = event.target.closest("button");
      if (button) choose(group.dataset.key, button.dataset.value);
    });
  }
  listen(part("tool"), "click", (event) => {
    const button = event.target.closest("button");
    if (button) ink = Number(button.dataset.value);
    look();
  });
  listen(part("clear"), "click", () => {
    refusal = "";
    pixels[slot] = new Uint8Array(product(d.shape));
    ink = 15;
    look();
    fits[slot].redraw();
    moved();
  });
  listen(part("layer"), "change", (event) => {
    state.layer = Number(event.target.value);
    hover = null;
    draw();
    moved();
  });
  listen(part("radius"), "input", (event) => {
    state.radius = Number((d.widest[state.norm] * event.target.value ** 2).toPrecision(3));
    set(part("radius-value"), number(state.radius));
    moved(true);
  });
  listen(part("radius"), "change", () => moved());
  listen(part("new-delta"), "click", () => {
    state.delta = 1 + Math.floor(9998 * Math.random());
    moved();
  });
  // A number that no test input has changes nothing; it stays where it was typed, and the allowed ones are told.
  listen(part("index"), "change", (event) => {
    const { value, validity } = event.target, last = gallery.labels.length - 1;
    const fits = value !== "" && Number.isInteger(Number(value)) && value >= 0 && value <= last;
    const isEmpty = value === "" && !validity.badInput;
    refusal = fits || isEmpty ? "" : `Test inputs have the whole numbers from 0 to ${last}; ${value === "" ? "what was typed" : number(Number(value), 12)} is none of them.`;
    if (fits) goTo(Number(value));
    else words();
    set(part("spoken"), refusal);
  });

  function goTo(index, how = moved) {
    refusal = "";
    pixels[slot] = null;
    state[slot ? "x2" : "x"] = String(index);
    thumbs.redraw();
    how();
  }

  // The next test input of the same class, or one of the next class.
  function step(by, classes) {
    if (!gallery) return;
    const current = Number(state[slot ? "x2" : "x"]); // NaN for a drawing
    const label = gallery.labels[current] ?? d.inputs[slot]?.says ?? 0;
    const wanted = classes ? (label + by + d.classes.length) % d.classes.length : label;
    const members = [...gallery.labels.keys()].filter((t) => gallery.labels[t] === wanted);
    if (!members.length) return;
    const place = classes ? 0 : members.indexOf(current);
    goTo(members[classes || place < 0 ? 0 : (place + by + members.length) % members.length], movedByKey);
  }

  function nudge(dx, dy, far) {
    const size = (d.box[1] - d.box[0]) * STEP * (far ? 10 : 1);
    const from = state[slot ? "x2" : "x"].split(",").map(Number);
    const [u, v] = from.length === 2 ? from : [...d.inputs[slot].x];
    setPoint([u + dx * size, v + dy * size]);
    movedByKey();
  }

  function setPoint([u, v]) {
    const inside = [u, v].map((value) => Number(clampTo(value, d.box[0], d.box[1]).toFixed(3)));
    state[slot ? "x2" : "x"] = inside.join(",");
    return inside;
  }

  function arrow(event) {
    const [dx, dy] = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, 1], ArrowDown: [0, -1] }[event.key] ?? [0, 0];
    if (!dx && !dy) return false;
    if (d.planar) nudge(dx, dy, event.shiftKey);
    else if (dx) step(dx, false);
    else step(-dy, true);
    return true;
  }
  for (const canvas of [...canvases, part("thumbs")]) {
    listen(canvas, "keydown", (event) => {
      if (!event.ctrlKey && !event.metaKey && !event.altKey && arrow(event)) event.preventDefault();
    });
  }
  const stopKeys = keys({ ArrowLeft: (event) => arrow(event), ArrowRight: (event) => arrow(event) });

  listen(part("thumbs"), "pointerdown", (event) => {
    const area = part("thumbs").getBoundingClientRect();
    const { cell, places } = thumbPlaces(area.width);
    const [x, y] = [event.clientX - area.left, event.clientY - area.top];
    const hit = places.findIndex(([px, py]) => x >= px && x < px + cell && y >= py && y < py + cell);
    if (hit >= 0) goTo(gallery.chosen[hit]);
  });

  function pointOf(canvas, event) {
    const area = canvas.getBoundingClientRect();
    return [(event.clientX - area.left) / area.width, (event.clientY - area.top) / area.height];
  }

  const onMap = ([u, v]) => [d.box[0] + u * (d.box[1] - d.box[0]), d.box[1] - v * (d.box[1] - d.box[0])];

  // The brush is round and soft: a pixel at distance r from the pointer gets 15 (1.4 − r / radius), at most 15.
  function dab([u, v]) {
    const [, h, w] = d.shape;
    const radius = Math.max(0.7, h / 18);
    const [cx, cy] = [u * w - 0.5, v * h - 0.5];
    for (let i = Math.max(0, Math.floor(cy - 2 * radius)); i <= Math.min(h - 1, cy + 2 * radius); i++) {
      for (let j = Math.max(0, Math.floor(cx - 2 * radius)); j <= Math.min(w - 1, cx + 2 * radius); j++) {
        const strength = Math.round(15 * clampTo(1.4 - Math.hypot(i - cy, j - cx) / radius, 0, 1));
        const at = i * w + j;
        pixels[drag.slot][at] = ink ? Math.max(pixels[drag.slot][at], strength) : Math.min(pixels[drag.slot][at], 15 - strength);
      }
    }
  }

  function stroke(to) {
    const from = drag.last ?? to;
    const steps = Math.max(1, Math.ceil(3 * d.shape[2] * Math.hypot(to[0] - from[0], to[1] - from[1])));
    for (let i = 0; i <= steps; i++) dab([0, 1].map((axis) => from[axis] + ((to[axis] - from[axis]) * i) / steps));
    drag.last = to;
  }

  function dragTo(canvas, event) {
    const place = pointOf(canvas, event);
    if (d.planar) drag.point = setPoint(onMap(place));
    else stroke(place);
    fits[d.planar ? 0 : drag.slot].redraw();
    moved(true);
  }

  canvases.forEach((canvas, i) => {
    listen(canvas, "pointerdown", (event) => {
      if (event.button || !(d.planar || d.drawable) || (i && state.compare === "delta")) {
        if (!event.button && !d.planar && state.compare === "input") slot = i;
        return words();
      }
      if (d.planar) slot = state.compare === "input" ? nearest(onMap(pointOf(canvas, event))) : 0;
      else slot = i;
      drag = { slot };
      refusal = "";
      if (!d.planar && !pixels[slot]) {
        pixels[slot] = Uint8Array.from(d.inputs[i].x, (v) => Math.round((15 * (v - d.box[0])) / (d.box[1] - d.box[0])));
      }
      canvas.setPointerCapture(event.pointerId);
      dragTo(canvas, event);
      return undefined;
    });
    listen(canvas, "pointermove", (event) => {
      if (drag) dragTo(canvas, event);
    });
    const release = () => {
      if (!drag) return;
      drag = null;
      moved();
    };
    listen(canvas, "pointerup", release);
    listen(canvas, "pointercancel", release);
  });

  // Which of the two points is nearer to this place of the map.
  function nearest([u, v]) {
    const far = d.inputs.map((input) => Math.hypot(input.x[0] - u, input.x[1] - v));
    return far[1] < far[0] ? 1 : 0;
  }

  // ----- the picture as a file

  function paintAll(context, width, height) {
    const s = canvasSurface(context, colours.font);
    const left = 250;
    s.text(24, 30, `${d.data}, ${d.state.phi === "relu" ? "ReLU" : `k-WTA, γ = ${number(d.layers[0].gamma ?? 1)}`}, ${d.training.words}`, { size: 20, weight: 700, fill: colours.text });
    d.inputs.forEach((input, i) => {
      const top = 60 + i * 300;
      if (!d.planar) paintImage(context, input.x, d.shape, d.box, 24, top, 200);
      describeInput(d, i).forEach((line, row) => s.text(24, (d.planar ? 290 + i * 60 : top + 218) + 22 * row, line, { size: 15, fill: colours.text }));
    });
    if (d.planar && gallery) paintMap(context, d, gallery, d.inputs.map((input) => [...input.x]), 200, colours, 24, 60);
    const found = arrangements(views.map((v) => d.layers[v.i].shape), width - left - 24, height - 70 - 44 * views.length, 2, 2 * LARGEST_CELL);
    let top = 60;
    views.forEach((v, at) => {
      const [bold, rest] = headingOf(d.layers[v.i], v.i);
      s.text(left, top, `${bold}: ${rest}`, { size: 16, weight: 600, fill: colours.text });
      paintLayer(context, d.layers[v.i], found[at], 2, colours, left, top + 14);
      top += found[at].height + 44;
    });
    let x = left;
    for (const [glyph, colour, text] of marks()) {
      s.text(x, height - 18, glyph, { size: 15, fill: colour });
      s.text(x + 20, height - 18, text, { size: 14, fill: colours.text });
      x += 48 + s.measure(text, { size: 14 });
    }
    s.text(x, height - 18, lengths(), { size: 14, fill: colours.text });
  }
  listen(part("png"), "click", () => {
    const [width, height, density] = [1280, 720, 2];
    const canvas = document.createElement("canvas");
    [canvas.width, canvas.height] = [width * density, height * density];
    const context = canvas.getContext("2d");
    context.scale(density, density);
    context.fillStyle = colours.background;
    context.fillRect(0, 0, width, height);
    paintAll(context, width, height);
    canvas.toBlob((blob) => saved("kwta-patterns.png", "image/png", blob));
  });

  const observer = new ResizeObserver(() => d && draw());
  observer.observe(box);
  const resized = () => d && draw();
  addEventListener("resize", resized);
  const stopTheme = whenThemeChanges(root, () => {
    colours = palette(root);
    draw();
  });

  let last = null;
  return {
    update(bytes) {
      if (bytes === last) return;
      last = bytes;
      adopt(parsed(bytes));
      draw();
      speak();
    },
    destroy() {
      talk.stop();
      observer.disconnect();
      removeEventListener("resize", resized);
      stopTheme();
      stopKeys();
      [...fits, thumbs, ...views.map((v) => v.fit)].forEach((f) => f.stop());
      on.forEach((off) => off());
    },
  };
});
