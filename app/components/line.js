// f along a segment: exact pieces with open and closed ends at each jump, the winners beneath, γ under the hand.
//
// data: bytes, see app/compute/line_block.py. All rungs of γ (all numbers of winners) are kept here, so that moving γ asks
// nobody. Reports moved: { seq, moving, from, to, g, output, twin, weights, key, have, gallery } at most every 50 ms while the
// hand moves and once at the end; { poll, … } for rungs that are still being made, or newer weights.

const POLL = 300; // ms between an answer and the next question while training
const SWEEP = 6; // seconds in which all rungs are played
const NEAR = 7; // px from a border that still mean this border
const DENSE = 1000; // jumps in one picture, from which those at one place are painted once
const LEAST_END = 2.2; // px: radius of the circles at a jump where others are close
const STEP = 0.01; // of the data box: how far an arrow key moves an end; ten times with Shift
const RELU = -1;

async function unpacked(bytes) {
  const { header, body } = headed(await unzipped(bytes));
  const { take } = reader(body);
  const size = product(header.shape);
  for (const end of header.ends) end.x = take(size, Float32Array);
  for (const r of header.rungs) {
    const b = r.n - 1;
    r.t = take(b, Float64Array);
    r.values = take(r.n * 2 * r.outputs, Float32Array);
    r.jumps = take(b * r.outputs, Float32Array);
    r.level = take(b, Float32Array);
    r.units = take(2 * b, Int32Array);
    r.layer = take(b);
    r.flags = take(b);
    r.bits = take(r.n * r.bytes);
  }
  const gallery = header.gallery;
  if (gallery) {
    gallery.name = header.data;
    gallery.places = take(2 * gallery.points, Float32Array);
    gallery.labels = take(gallery.points || gallery.chosen.length);
    gallery.thumbs = take(gallery.chosen.length * size);
  }
  return header;
}

// The piece that t lies in; a border belongs to the piece that owns it.
function pieceAt(r, t) {
  let low = 0, high = r.t.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    if (r.t[middle] < t) low = middle + 1;
    else high = middle;
  }
  return low < r.t.length && r.t[low] === t && r.flags[low] & 1 ? low + 1 : low;
}

const startOf = (r, p) => (p ? r.t[p - 1] : 0);
const endOf = (r, p) => (p < r.t.length ? r.t[p] : r.end);

function valueAt(r, t, o, p = pieceAt(r, t)) {
  const [a, b] = [startOf(r, p), endOf(r, p)];
  const at = 2 * p * r.outputs + o;
  const share = b > a ? (t - a) / (b - a) : 0;
  return r.values[at] + share * (r.values[at + r.outputs] - r.values[at]);
}

function bestAt(r, t) {
  let best = 0;
  const p = pieceAt(r, t);
  for (let o = 1; o < r.outputs; o++) if (valueAt(r, t, o, p) > valueAt(r, t, best, p)) best = o;
  return best;
}

function jumpSize(r, b, o) {
  if (o < r.outputs) return Math.abs(r.jumps[b * r.outputs + o]);
  let sum = 0;
  for (let i = 0; i < r.outputs; i++) sum += r.jumps[b * r.outputs + i] ** 2;
  return Math.sqrt(sum);
}

// Whether unit `row` of layer l wins on piece p; layers begin at whole bytes.
function wins(r, sizes, p, l, unit) {
  let at = p * r.bytes;
  for (let i = 0; i < l; i++) at += (sizes[i] + 7) >> 3;
  return (r.bits[at + (unit >> 3)] >> (7 - (unit & 7))) & 1;
}

function palette(root) {
  const c = theme(root);
  return { ...c, twin: c.dark ? "#A9B4BE" : "#5B6670", rgb: { layers: c.layers.map(rgbOf) } };
}

// A tidy step for about n ticks over a range.
function ticks(low, high, n) {
  const step = roundUp((high - low) / n);
  const found = [];
  for (let i = Math.ceil(low / step); i * step <= high + 1e-9 * step; i++) found.push(i * step);
  return { step, found, decimals: clampTo(-Math.floor(Math.log10(step) + 1e-9), 0, 8) };
}

export default mounted((root, send) => {
  const part = (name) => root.querySelector(`.${name}`);
  const box = part("line");
  const stage = part("stage"), map = part("map"), thumbs = part("thumbs"), slider = part("gamma"), index = part("index");
  const rungs = new Map(); // of `key`: rung → its course
  let key = "";
  let d = null, gallery = null, state = null;
  let here = 0; // the rung that is looked at
  let drag = null, end = "from", cursor = null, hovering = false;
  let view = [0, 1];
  let untold = false; // γ has been moved since the last report
  let refusal = ""; // why the number typed for an end is none
  let playing = false, direction = 1, place = 0, spoken = 0;
  let colours = palette(root);
  let raster = null; // the last one painted, as long as nothing of it changes

  // ----- talking with the page

  const talk = reports(send, {
    values: () => ({ ...state, key, have: [...rungs.keys()], gallery: gallery?.name ?? "" }),
    wants: () => (!d || (complete() && gallery) ? null : d.training.done ? 0 : POLL),
    busy: () => Boolean(drag),
    before: () => (untold = false),
  });
  const { moved, movedByKey, rested } = talk;
  const complete = () => d.training.done && rungs.size > d.ladder.length;

  function adopt(next) {
    const isOwn = !state || talk.isOwn(next.seq) || next.data !== d.data;
    talk.answered(next.seq, isOwn);
    if (!isOwn && next.key !== key && !drag) return; // overtaken by a later report, whose answer is on its way
    if (next.key !== key) rungs.clear();
    key = next.key;
    next.rungs.forEach((r) => rungs.set(r.rung, r));
    if (next.gallery) gallery = next.gallery;
    if (gallery?.name !== next.data) gallery = null;
    const before = d;
    d = next;
    if (isOwn) {
      if (!drag && !talk.resting) {
        state = { ...next.state, ...(untold ? { g: state.g } : {}) };
        if (!untold) here = next.here;
      }
    }
    here = Math.min(here, d.ladder.length - 1);
    if (before?.data !== d.data) { cursor = null; view = [0, 1]; }
    raster = null;
    Object.assign(box.dataset, { seq: d.seq, rungs: rungs.size, of: d.ladder.length + 1, done: d.training.done });
    talk.poll();
  }

  // ----- what is shown

  const shown = () => rungs.get(here) ?? rungs.get([...rungs.keys()].filter((r) => r >= 0).sort((a, b) => Math.abs(a - here) - Math.abs(b - here))[0]);
  const twin = () => rungs.get(RELU);
  const chosenOutput = () => (state.output === "all" ? d.classes.length : state.output === "own" ? (d.ends[0].label ?? 0) : Number(state.output));
  const outputs = () => (state.output === "all" ? d.classes.map((_, i) => i) : [chosenOutput()]);
  const gammaOf = (rung) => (d.ladder[rung][0] <= d.home && d.home <= d.ladder[rung][1] ? d.home : d.ladder[rung][0]);

  function range() {
    let low = Infinity, high = -Infinity;
    for (const r of [shown(), twin()]) {
      for (let p = pieceAt(r, view[0]); r && p < r.n && startOf(r, p) <= view[1]; p++) {
        for (const o of outputs()) {
          for (const t of [Math.max(startOf(r, p), view[0]), Math.min(endOf(r, p), view[1])]) {
            const v = valueAt(r, t, o, p);
            low = Math.min(low, v);
            high = Math.max(high, v);
          }
        }
      }
    }
    const pad = 0.07 * (high - low) || Math.abs(high) || 1;
    return [low - pad, high + pad];
  }

  function layout(width, height) {
    const left = 62, right = width - (state.output === "all" ? 46 : 14);
    const layers = d.sizes.length;
    const bottom = height - 30;
    const rasterHeight = clampTo(0.4 * bottom, 60, 44 + 90 * layers);
    const top = bottom - rasterHeight;
    const gap = 17; // for the name and the ticks of a layer
    const each = (rasterHeight - gap * layers) / layers;
    const bands = d.sizes.map((_, l) => ({ tick: top + l * (each + gap), top: top + l * (each + gap) + gap, height: Math.max(each - 3, 4) }));
    return { left, right, top: 26, chart: top - 28, strip: top - 24, bands, bottom };
  }

  const px = (a, t) => a.left + ((t - view[0]) / (view[1] - view[0])) * (a.right - a.left);
  const tOf = (a, x) => clampTo(view[0] + ((x - a.left) / (a.right - a.left)) * (view[1] - view[0]), view[0], view[1]);
  const visible = (r) => [...r.t.keys()].filter((b) => r.t[b] >= view[0] && r.t[b] <= view[1]);

  function paint(s, width, height, live) {
    const a = layout(width, height), r = shown();
    const [low, high] = range();
    const py = (v) => a.chart - ((v - low) / (high - low)) * (a.chart - a.top);
    paintAxes(s, a, py, low, high);
    const borders = visible(r);
    if (borders.length < 400) for (const b of borders) s.line(px(a, r.t[b]), a.top, px(a, r.t[b]), a.chart, { stroke: colours.text, alpha: 0.1 });
    if (state.twin === "on" && twin()) for (const o of outputs()) paintCourse(s, a, py, twin(), o, { stroke: outputs().length > 1 ? colours.classes[o % 10] : colours.twin, width: outputs().length > 1 ? 1.3 : 2, dash: [6, 4], alpha: outputs().length > 1 ? 0.55 : 1 }, false);
    for (const o of outputs()) paintCourse(s, a, py, r, o, { stroke: outputs().length > 1 ? colours.classes[o % 10] : colours.positive, width: outputs().length > 1 ? 2 : 2.8 }, true);
    if (outputs().length > 1) paintNames(s, a, py, r);
    paintStrip(s, a, r);
    paintRaster(s, a, r, borders, live);
    if (live && cursor !== null) paintCursor(s, a, py, r);
  }

  function paintAxes(s, a, py, low, high) {
    const { found, decimals } = ticks(low, high, 5);
    for (const v of found) {
      s.line(a.left, py(v), a.right, py(v), { stroke: colours.text, alpha: Math.abs(v) < 1e-12 ? 0.45 : 0.13 });
      s.text(a.left - 8, py(v), fixed(v, decimals), { size: 14, align: "end", fill: colours.text });
    }
    const o = outputs();
    const name = o.length > 1 ? "f, all outputs" : `f for “${d.classes[o[0]]}”`;
    s.text(a.left, 11, name, { size: 16, weight: 600, fill: o.length > 1 ? colours.text : colours.positive });
    const after = a.left + s.measure(name, { size: 16, weight: 600 }) + 16;
    s.text(after, 11, `k-WTA${state.twin === "on" ? " · dashed: ReLU twin" : ""}${d.training.done || a.right < 500 ? "" : " · still training"}`, { size: 14, fill: colours.text, alpha: 0.85 });
    const t = ticks(view[0], view[1], a.right - a.left < 420 ? 2 : 6);
    for (const v of t.found) {
      s.line(px(a, v), a.bottom, px(a, v), a.bottom + 5, { stroke: colours.text, alpha: 0.5 });
      const at = Math.abs(v) < 1e-12 ? "A" : Math.abs(v - 1) < 1e-12 ? "B" : "";
      s.text(px(a, v), a.bottom + 16, at ? `${at}, t = ${v > 0.5 ? 1 : 0}` : fixed(v, t.decimals), { size: 14, weight: at ? 700 : 400, align: at === "A" ? "start" : at === "B" ? "end" : "middle", fill: colours.text });
    }
  }

  // Straight on every piece; at a jump a filled circle where f has its value, a hollow one where it only comes near.
  function paintCourse(s, a, py, r, o, look, ends) {
    const segments = [], dotted = [], jumps = [];
    for (let p = pieceAt(r, view[0]); p < r.n && startOf(r, p) <= view[1]; p++) {
      const [t0, t1] = [Math.max(startOf(r, p), view[0]), Math.min(endOf(r, p), view[1])];
      const from = [px(a, t0), py(valueAt(r, t0, o, p))], to = [px(a, t1), py(valueAt(r, t1, o, p))];
      segments.push([...from, ...to]);
      const b = p; // the border at the end of piece p
      if (b >= r.t.length || r.t[b] > view[1] || !jumpSize(r, b, o)) continue;
      const next = py(r.values[2 * (p + 1) * r.outputs + o]);
      dotted.push([to[0], to[1], to[0], next]);
      if (ends) jumps.push({ x: to[0], before: to[1], after: next, isAfter: r.flags[b] & 1 });
    }
    const lines = (list, o2) => (s.segments ? s.segments(list, o2) : list.forEach((l) => s.line(...l, o2)));
    lines(dotted, { stroke: look.stroke, width: 1.2, dash: [1.5, 3], alpha: look.alpha });
    lines(segments, look);
    paintEnds(s, jumps, look);
  }

  // Both ends of every jump, smaller where jumps are close or small; where many fall on one place, it is painted once.
  function paintEnds(s, jumps, look) {
    const most = look.width > 2.5 ? 4 : 3, painted = new Set(), dots = [];
    const far = (i, j) => (jumps[j] ? Math.min(...[jumps[i].before, jumps[i].after].flatMap((y) => [jumps[j].before, jumps[j].after].map((v) => Math.hypot(jumps[i].x - jumps[j].x, y - v)))) : Infinity);
    jumps.forEach((jump, i) => {
      const room = Math.min(1.5 * Math.abs(jump.after - jump.before), far(i, i - 1), far(i, i + 1));
      const radius = clampTo(room / 2 - 0.4, LEAST_END, most);
      for (const isAfter of [0, 1]) {
        const y = isAfter ? jump.after : jump.before, closed = isAfter === jump.isAfter;
        const name = jumps.length > DENSE ? `${Math.round(2 * jump.x)} ${Math.round(2 * y)} ${closed}` : "";
        if (name && painted.has(name)) continue;
        painted.add(name);
        dots.push([closed, jump.x, y, radius]);
      }
    });
    for (const closed of [false, true]) {
      for (const [is, x, y, radius] of dots) {
        if (is === closed) s.circle(x, y, radius, { fill: closed ? look.stroke : colours.background, stroke: look.stroke, width: Math.min(1.8, 0.55 * radius) });
      }
    }
  }

  // Names of all outputs at the right end, pushed apart where they would overlap.
  function paintNames(s, a, py, r) {
    const found = outputs().map((o) => ({ o, y: py(valueAt(r, view[1], o)) })).sort((i, j) => i.y - j.y);
    const apart = Math.min(14, (a.chart - a.top) / found.length);
    found.forEach((one, i) => (one.y = Math.max(one.y, i ? found[i - 1].y + apart : a.top + 4)));
    for (let i = found.length - 1, most = a.chart - 4; i >= 0; most = found[i].y - apart, i--) found[i].y = Math.min(found[i].y, most);
    found.forEach((one) => {
      s.text(a.right + 8, one.y, d.classes[one.o].slice(0, 5), { size: 14, weight: 600, fill: colours.classes[one.o % 10] });
    });
  }

  // The class with the largest output, pixel by pixel.
  function paintStrip(s, a, r) {
    let from = a.left, best = bestAt(r, view[0]);
    for (let x = Math.ceil(a.left); x <= a.right + 1; x++) {
      const now = x > a.right ? -1 : bestAt(r, tOf(a, x));
      if (now === best) continue;
      const to = Math.min(x, a.right);
      s.rect(from, a.strip, to - from, 17, { fill: colours.classes[best % 10], alpha: 0.3 });
      const words = to - from > 110 ? `says ${d.classes[best]}` : d.classes[best];
      if (to - from > s.measure(words, { size: 13, weight: 600 }) + 6) s.text((from + to) / 2, a.strip + 9, words, { size: 13, weight: 600, align: "middle", fill: colours.text });
      [from, best] = [to, now];
    }
  }

  function paintRaster(s, a, r, borders, live) {
    d.sizes.forEach((n, l) => {
      const band = a.bands[l], colour = colours.layers[l % colours.layers.length];
      const own = borders.filter((b) => r.layer[b] === l);
      s.text(a.left - 8, band.top + band.height / 2, `layer ${l + 1}`, { size: 14, weight: 600, align: "end", fill: colour });
      s.rect(a.left, band.top, a.right - a.left, band.height, { fill: colours.text, alpha: 0.05 });
      if (!live) paintUnits(s, a, r, l, n, band, colour);
      for (const b of own) s.polygon([[px(a, r.t[b]) - 4, band.tick + 5], [px(a, r.t[b]) + 4, band.tick + 5], [px(a, r.t[b]), band.tick + 13]], { fill: colour });
      if (own.length < 200) for (const b of own) s.line(px(a, r.t[b]), band.tick + 12, px(a, r.t[b]), band.top + band.height, { stroke: colour, width: 1 });
    });
    if (live) live(a, r);
  }

  function paintUnits(s, a, r, l, n, band, colour) {
    const high = band.height / n;
    for (let unit = 0; unit < n; unit++) {
      for (let p = pieceAt(r, view[0]); p < r.n && startOf(r, p) < view[1]; p++) {
        if (!wins(r, d.sizes, p, l, unit)) continue;
        let q = p;
        while (q + 1 < r.n && wins(r, d.sizes, q + 1, l, unit)) q += 1;
        const [from, to] = [px(a, Math.max(startOf(r, p), view[0])), px(a, Math.min(endOf(r, q), view[1]))];
        s.rect(from, band.top + unit * high, to - from, Math.max(high - (high > 3 ? 0.6 : 0), 0.4), { fill: colour });
        p = q;
      }
    }
  }

  // The same on the screen, as one image: a column of pixels shows the piece at its centre.
  function drawUnits(context, a, r) {
    const density = Math.min(window.devicePixelRatio || 1, 3);
    const wide = Math.round((a.right - a.left) * density);
    const name = `${here} ${wide} ${a.bottom} ${view}`;
    if (raster?.name !== name) {
      const columns = Int32Array.from({ length: wide }, (_, x) => pieceAt(r, view[0] + ((x + 0.5) / wide) * (view[1] - view[0])));
      raster = { name, bands: d.sizes.map((n, l) => bandImage(r, l, n, a.bands[l].height * density, columns, wide)) };
    }
    context.imageSmoothingEnabled = false;
    raster.bands.forEach((image, l) => context.drawImage(image, a.left, a.bands[l].top, a.right - a.left, a.bands[l].height));
  }

  function bandImage(r, l, n, high, columns, wide) {
    const lines = Math.max(n, Math.round(high));
    const image = new ImageData(wide, lines), pixels = new Uint32Array(image.data.buffer);
    const [red, green, blue] = colours.rgb.layers[l % colours.layers.length];
    const ink = ((255 << 24) | (blue << 16) | (green << 8) | red) >>> 0;
    const gap = lines / n >= 3 ? 1 : 0;
    for (let y = 0; y < lines; y++) {
      const unit = Math.floor((y * n) / lines);
      if (gap && Math.floor(((y + 1) * n) / lines) !== unit) continue;
      let before = -1, on = 0;
      for (let x = 0; x < wide; x++) {
        if (columns[x] !== before) [before, on] = [columns[x], wins(r, d.sizes, columns[x], l, unit)];
        if (on) pixels[y * wide + x] = ink;
      }
    }
    const scratch = new OffscreenCanvas(wide, lines);
    scratch.getContext("2d").putImageData(image, 0, 0);
    return scratch;
  }

  function nearBorder(a, r) {
    if (cursor === null) return -1;
    const p = pieceAt(r, cursor);
    const near = [p - 1, p].filter((b) => b >= 0 && b < r.t.length && Math.abs(px(a, r.t[b]) - px(a, cursor)) < NEAR);
    return near.sort((i, j) => Math.abs(r.t[i] - cursor) - Math.abs(r.t[j] - cursor))[0] ?? -1;
  }

  function paintCursor(s, a, py, r) {
    const b = nearBorder(a, r);
    const x = px(a, b < 0 ? cursor : r.t[b]);
    s.line(x, a.top, x, a.bottom, { stroke: colours.text, width: b < 0 ? 1 : 2, alpha: 0.8 });
    if (b < 0) {
      for (const o of outputs()) s.circle(x, py(valueAt(r, cursor, o)), 5, { fill: outputs().length > 1 ? colours.classes[o % 10] : colours.positive, stroke: colours.background, width: 1.5 });
      return;
    }
    const l = r.layer[b], band = a.bands[l], high = band.height / d.sizes[l];
    [0, 1].forEach((side) => {
      const unit = r.units[2 * b + side];
      if (unit < 0) return;
      const y = band.top + (unit + 0.5) * high;
      s.circle(x + (side ? 9 : -9), y, 6, { fill: side ? colours.text : colours.background, stroke: colours.text, width: 2 });
    });
  }

  const surface = fitted(stage, (context, width, height) => {
    if (!d || !shown()) return;
    const s = canvasSurface(context, colours.font);
    s.segments = (list, o) => {
      context.save();
      context.globalAlpha = o.alpha ?? 1;
      context.strokeStyle = o.stroke;
      context.lineWidth = o.width;
      context.lineCap = o.dash ? "butt" : "round";
      context.setLineDash(o.dash ?? []);
      context.beginPath();
      let [x, y] = [NaN, NaN];
      for (const [x1, y1, x2, y2] of list) {
        if (x1 !== x || y1 !== y) context.moveTo(x1, y1);
        context.lineTo(x2, y2);
        [x, y] = [x2, y2];
      }
      context.stroke();
      context.restore();
    };
    const began = performance.now();
    paint(s, width, height, (a, r) => drawUnits(context, a, r));
    box.dataset.painted = fixed(performance.now() - began, 1);
  });

  // ----- the map, or the images at the ends and under the cursor

  const atCursor = () => (cursor === null ? 0.5 : cursor);

  function paintImage(context, x, left, top, side) {
    const [channels, h, w] = d.shape, image = new ImageData(w, h);
    for (let p = 0; p < h * w; p++) {
      const pixel = [0, 1, 2].map((ch) => (255 * (x[p + (channels === 3 ? ch : 0) * h * w] - d.box[0])) / (d.box[1] - d.box[0]));
      image.data.set([...pixel, 255], 4 * p);
    }
    const scratch = new OffscreenCanvas(w, h);
    scratch.getContext("2d").putImageData(image, 0, 0);
    context.imageSmoothingEnabled = false;
    context.drawImage(scratch, left, top, side, side);
  }

  const endPoint = (which) => (drag?.point && drag.end === which ? drag.point : [...d.ends[which === "to" ? 1 : 0].x]);

  function paintMap(context, width) {
    const s = canvasSurface(context, colours.font), [low, high] = d.box;
    const at = ([u, v]) => [((u - low) / (high - low)) * width, ((high - v) / (high - low)) * width];
    s.rect(0, 0, width, width, { fill: colours.panel });
    for (let p = 0; gallery && p < gallery.points; p++) {
      const [x, y] = at([gallery.places[2 * p], gallery.places[2 * p + 1]]), odd = gallery.labels[p] % 2;
      const look = { fill: odd ? colours.background : colours.text, stroke: colours.text, alpha: 0.4 };
      if (odd) s.rect(x - 2, y - 2, 4, 4, look);
      else s.circle(x, y, 2, look);
    }
    s.rect(0.5, 0.5, width - 1, width - 1, { stroke: colours.border });
    const [a, b] = [endPoint("from"), endPoint("to")], [xa, ya] = at(a), [xb, yb] = at(b);
    s.line(xa, ya, xb, yb, { stroke: colours.positive, width: 3 });
    const r = shown(), length = Math.hypot(xb - xa, yb - ya) || 1, [nx, ny] = [(5 * (ya - yb)) / length, (5 * (xb - xa)) / length];
    if (r && !drag) for (const t of r.t) s.line(xa + t * (xb - xa) - nx, ya + t * (yb - ya) - ny, xa + t * (xb - xa) + nx, ya + t * (yb - ya) + ny, { stroke: colours.text, width: 1 });
    [["A", xa, ya, "from"], ["B", xb, yb, "to"]].forEach(([name, x, y, which]) => {
      s.circle(x, y, 10, { fill: which === end ? colours.primary : colours.background, stroke: colours.text, width: 2 });
      s.text(x, y + 0.5, name, { size: 13, weight: 700, align: "middle", fill: which === end ? colours.background : colours.text });
    });
    if (cursor !== null) s.circle(xa + cursor * (xb - xa), ya + cursor * (yb - ya), 5, { fill: colours.text, stroke: colours.background, width: 1.5 });
  }

  function paintImages(context, width) {
    const s = canvasSurface(context, colours.font), side = Math.min(Math.floor((width - 16) / 3), 110), t = atCursor();
    const [a, b] = d.ends.map((one) => one.x), between = a.map((v, i) => v + t * (b[i] - v));
    [[a, "A"], [between, `t = ${fixed(t, 2)}`], [b, "B"]].forEach(([x, name], i) => {
      const left = i * (side + 8), isEnd = i !== 1, which = i ? "to" : "from";
      paintImage(context, x, left, 0, side);
      s.rect(left + 1, 1, side - 2, side - 2, { stroke: isEnd && which === end ? colours.primary : colours.border, width: isEnd && which === end ? 3 : 2 });
      const label = isEnd ? d.ends[i ? 1 : 0].label : shown() ? bestAt(shown(), t) : 0;
      s.text(left + side / 2, side + 11, name, { size: 14, weight: 700, align: "middle", fill: colours.text });
      s.text(left + side / 2, side + 29, isEnd ? `is ${d.classes[label]}`.slice(0, 11) : `says ${d.classes[label]}`.slice(0, 11), { size: 13, align: "middle", fill: colours.text });
    });
  }

  const mapSurface = fitted(map, (context, width) => {
    if (!d) return;
    if (d.planar) paintMap(context, width);
    else paintImages(context, width);
  });

  function thumbPlaces(width) {
    const label = 14 + 7 * Math.max(...d.classes.map((name) => Math.min(name.length, 6)));
    const seen = {};
    const per = Math.max(...d.classes.map((_, c) => gallery.labels.filter((l) => l === c).length), 1);
    const high = box.clientWidth < 640 ? 400 : stage.clientHeight - map.clientHeight - 55;
    const cell = clampTo(Math.floor(Math.min((width - label) / per, high / d.classes.length)), 14, 32);
    return { label, cell, height: cell * d.classes.length, places: [...gallery.labels].map((c) => [label + (seen[c] = (seen[c] ?? -1) + 1) * cell, c * cell]) };
  }

  const thumbSurface = fitted(thumbs, (context, width) => {
    if (!d || !gallery || d.planar) return;
    const s = canvasSurface(context, colours.font), { label, cell, places } = thumbPlaces(width), size = product(d.shape);
    d.classes.forEach((name, c) => s.text(label - 7, (c + 0.5) * cell, name.slice(0, 6), { size: 13, align: "end", fill: colours.text }));
    const keep = d.box;
    d.box = [0, 255];
    gallery.chosen.forEach((test, i) => {
      const [x, y] = places[i];
      paintImage(context, gallery.thumbs.subarray(i * size, (i + 1) * size), x + 1, y + 1, cell - 2);
      const name = state.from === String(test) ? "A" : state.to === String(test) ? "B" : "";
      if (!name) return;
      s.rect(x + 1, y + 1, cell - 2, cell - 2, { stroke: colours.primary, width: 3 });
      s.text(x + cell - 6, y + 7, name, { size: 12, weight: 700, align: "middle", fill: colours.primary });
    });
    d.box = keep;
  });

  // ----- words

  function set(element, text) {
    if (element.textContent !== text) element.textContent = text;
  }

  function look() {
    box.className = ["kwta line", d.planar ? "planar" : "images", state.bare ? "bare" : ""].join(" ");
    for (const button of part("choice").children) button.setAttribute("aria-pressed", String(button.dataset.value === state.weights));
    for (const button of part("which").children) button.setAttribute("aria-pressed", String(button.dataset.end === end));
    part("twin").setAttribute("aria-pressed", String(state.twin === "on"));
    const select = part("output"), options = ["own", "all", ...d.classes.map((_, i) => String(i))];
    const words = (o) => (o === "own" ? (d.ends[0].label === null ? `f for ${d.classes[0]}` : "f for A’s class") : o === "all" ? "all outputs" : `f for ${d.classes[o]}`);
    const names = options.map(words).join();
    if (select.dataset.names !== names) {
      select.dataset.names = names;
      select.replaceChildren(...options.map((o) => new Option(words(o), o)));
    }
    select.value = state.output;
    slider.max = String(d.ladder.length - 1);
    if (root.activeElement !== index && !refusal) index.value = /^\d+$/.test(state[end]) ? state[end] : "";
    index.setAttribute("aria-invalid", String(Boolean(refusal)));
    index.max = gallery ? gallery.tests - 1 : 0;
    set(part("pick").firstElementChild, end === "to" ? "B" : "A");
    const progress = part("progress");
    progress.classList.toggle("done", d.training.done);
    progress.firstElementChild.value = d.training.share;
    set(progress.lastElementChild, d.state.weights === "trained" ? `${d.training.words}${d.training.done ? ` at γ = ${fixed(d.home, 2)}` : ""}` : "");
    part("play").querySelector("path").setAttribute("d", playIcon(playing));
    set(part("play").querySelector("span"), playing ? "Pause" : "Play");
    stage.style.height = `${clampTo(window.innerHeight - (state.bare ? 215 : 335), 300, 900)}px`;
    const width = map.clientWidth || 200;
    map.style.height = d.planar ? `${Math.min(width, 330)}px` : `${Math.min(Math.floor((width - 16) / 3), 110) + 40}px`;
    if (d.planar) map.style.maxWidth = "330px";
    if (gallery && !d.planar) thumbs.style.height = `${thumbPlaces(thumbs.clientWidth || 200).height}px`;
  }

  const kWords = (rung) => d.ladder[rung][2].map((k, l) => `${k} of ${d.sizes[l]}`).join(", ");

  function gammaWords() {
    slider.value = String(here);
    const words = `γ = ${fixed(gammaOf(here), 2)}, k = ${kWords(here)}`;
    set(part("says"), words.length > 42 ? `γ = ${fixed(gammaOf(here), 2)}` : words);
    slider.setAttribute("aria-valuetext", words);
    box.dataset.here = here;
    box.dataset.gamma = fixed(gammaOf(here), 2);
  }

  function numbersTable() {
    const o = chosenOutput(), of = o < d.classes.length ? `of f for ${d.classes[o]}` : "in the L2 norm";
    const row = (name, r) => {
      const split = `${number(r.by_jumps[o])} + ${number(r.by_slopes[o])}`;
      const jump = r.at[o] < 0 ? "0" : `${number(r.largest[o])} at t = ${fixed(r.t[r.at[o]], 3)}`;
      return [name, `${r.n}${r.complete ? "" : "+"}`, `${r.merged}${r.complete ? "" : "+"}`, r.by_layer.join(" + "), split, jump];
    };
    const all = [["exact, from A to B", "pieces", "different lines", "borders by layer", `variation ${of}: jumps + slopes`, "largest jump"]];
    const r = shown();
    if (r) all.push(row(`k-WTA, γ = ${fixed(gammaOf(Math.max(r.rung, 0)), 2)}`, r));
    if (twin()) all.push(row("ReLU twin", twin()));
    const text = JSON.stringify(all);
    if (part("numbers").dataset.text === text) return;
    part("numbers").dataset.text = text;
    const table = document.createElement("table"), head = document.createElement("thead"), body = document.createElement("tbody");
    all.forEach((cells, i) => {
      const line = document.createElement("tr");
      line.append(...cells.map((cell, j) => Object.assign(document.createElement(i && j ? "td" : "th"), { textContent: cell })));
      (i ? body : head).append(line);
    });
    table.append(head, body);
    part("numbers").replaceChildren(table);
  }

  function borderWords(r, b) {
    const [out, into] = [r.units[2 * b], r.units[2 * b + 1]], o = chosenOutput();
    const swap = [out >= 0 ? `unit ${out} out` : "", into >= 0 ? `unit ${into} in` : ""].filter(Boolean).join(", ");
    const size = jumpSize(r, b, o), whole = jumpSize(r, b, r.outputs);
    const jump = !whole ? "f is continuous here" : `${o < r.outputs ? `f jumps by ${number(r.jumps[b * r.outputs + o])} (all outputs: ‖jump‖ = ${number(whole)})` : `‖jump‖ = ${number(size)}`}`;
    return `Border at t = ${fixed(r.t[b], 5)}, layer ${r.layer[b] + 1}: ${swap}, at y = ${number(r.level[b])}; ${jump}.`;
  }

  function readout() {
    const r = shown();
    if (refusal) return refusal;
    if (!r) return "";
    if (cursor === null) return d.planar ? "Move over the curve for its values; drag A and B on the map. ← → change k, space plays." : "Move over the curve for its values; choose A and B among the test images. ← → change k, space plays.";
    const b = nearBorder(layout(stage.clientWidth, stage.clientHeight), r);
    if (b >= 0) return borderWords(r, b);
    const p = pieceAt(r, cursor);
    const values = outputs().map((o) => `${outputs().length > 1 ? `${d.classes[o]} ` : "f = "}${number(valueAt(r, cursor, o))}`).join(", ");
    const other = outputs().length === 1 && twin() && state.twin === "on" ? `; ReLU twin ${number(valueAt(twin(), cursor, outputs()[0]))}` : "";
    return `t = ${fixed(cursor, 4)}, piece ${p + 1} of ${r.n}, from ${fixed(startOf(r, p), 4)} to ${fixed(endOf(r, p), 4)}: ${values}${other}; says ${d.classes[bestAt(r, cursor)]}.`;
  }

  function words() {
    gammaWords();
    numbersTable();
    set(part("readout"), readout());
    const r = shown();
    if (!r) return;
    Object.assign(box.dataset, { pieces: r.n, merged: r.merged, relu: twin()?.n ?? "", cursor: cursor ?? "", shown: r.rung });
    stage.setAttribute("aria-label", `f from A to B: ${plural(r.n, "piece")}, ${kWords(here)} win. Arrow keys go to the next border, plus and minus zoom.`);
    stage.setAttribute("aria-valuemin", 0);
    stage.setAttribute("aria-valuemax", 1);
    stage.setAttribute("aria-valuenow", fixed(atCursor(), 4));
    stage.setAttribute("aria-valuetext", part("readout").textContent);
    map.setAttribute("aria-label", d.planar ? `Segment from (${state.from}) to (${state.to}) on the data. Arrow keys move ${end === "to" ? "B" : "A"}.` : `A: test input ${state.from}. B: test input ${state.to}.`);
  }

  function draw() {
    if (!d) return;
    look();
    words();
    surface.redraw();
    mapSurface.redraw();
    thumbSurface.redraw();
  }

  // Speak at most every second and a half, and only what has settled.
  function speak() {
    clearTimeout(spoken);
    spoken = setTimeout(() => {
      const r = shown();
      if (r) set(part("spoken"), `γ = ${fixed(gammaOf(here), 2)}: ${plural(r.n, "piece")}, ReLU ${twin()?.n ?? "unknown"}. ${cursor === null ? "" : readout()}`);
    }, 700);
  }

  // ----- the hand

  const on = [];
  function listen(element, type, call, options) {
    element.addEventListener(type, call, options);
    on.push(() => element.removeEventListener(type, call, options));
  }

  function goTo(rung) {
    here = clampTo(rung, 0, d.ladder.length - 1);
    untold = true;
    state.g = gammaOf(here);
    words();
    surface.redraw();
    mapSurface.redraw();
    speak();
    if (!rungs.has(here)) moved(true);
  }

  listen(slider, "input", () => {
    playing = false;
    goTo(Number(slider.value));
  });
  listen(slider, "change", () => moved());

  const clock = frames((seconds) => {
    if (!playing || !d) return false;
    const last = d.ladder.length - 1;
    place += direction * seconds * (d.ladder.length / SWEEP);
    if (place >= last || place <= 0) direction = place >= last ? -1 : 1;
    place = clampTo(place, 0, last);
    if (Math.round(place) !== here) goTo(Math.round(place));
    return true;
  });

  function toggle() {
    if (!d) return;
    playing = !playing;
    place = here;
    look();
    if (playing) clock.start();
    else moved();
  }
  listen(part("play"), "click", toggle);

  function step(by) {
    playing = false;
    goTo(here + by);
    rested();
    look();
  }
  const stopKeys = keys({ ArrowLeft: () => step(-1), ArrowRight: () => step(1), " ": toggle, "+": () => zoom(0.5), "-": () => zoom(2) });

  listen(part("choice"), "click", (event) => {
    const button = event.target.closest("button");
    if (button) state.weights = button.dataset.value;
    draw();
    moved();
  });
  listen(part("which"), "click", (event) => {
    const button = event.target.closest("button");
    if (button) end = button.dataset.end;
    refusal = "";
    draw();
  });
  listen(part("twin"), "click", () => {
    state.twin = state.twin === "on" ? "off" : "on";
    draw();
    moved();
  });
  listen(part("output"), "change", (event) => {
    state.output = event.target.value;
    draw();
    moved();
  });
  function zoom(by) {
    const centre = cursor ?? (view[0] + view[1]) / 2, half = clampTo(((view[1] - view[0]) * by) / 2, 5e-7, 0.5);
    const low = clampTo(centre - half, 0, 1 - 2 * half);
    view = [low, low + 2 * half];
    raster = null;
    box.dataset.view = view.join();
    surface.redraw();
  }
  listen(part("zoom"), "click", (event) => {
    const button = event.target.closest("button");
    if (button) zoom(Number(button.dataset.by));
  });

  function choose(test) {
    refusal = "";
    state[end] = String(test);
    end = end === "from" ? "to" : "from";
    draw();
    moved();
  }
  // A number that no test input has changes nothing; it stays where it was typed, and the allowed ones are told.
  listen(index, "change", () => {
    if (!gallery) return;
    const { value, validity } = index, last = gallery.tests - 1;
    const fits = value !== "" && Number.isInteger(Number(value)) && value >= 0 && value <= last;
    const isEmpty = value === "" && !validity.badInput;
    refusal = fits || isEmpty ? "" : `Test inputs have the whole numbers from 0 to ${last}; ${value === "" ? "what was typed" : number(Number(value), 12)} is none of them.`;
    if (fits) state[end] = String(Number(value));
    draw();
    if (fits) moved();
    set(part("spoken"), refusal);
  });
  listen(thumbs, "pointerdown", (event) => {
    if (!gallery) return;
    const area = thumbs.getBoundingClientRect(), { cell, places } = thumbPlaces(area.width);
    const [x, y] = [event.clientX - area.left, event.clientY - area.top];
    const hit = places.findIndex(([left, top]) => x >= left && x < left + cell && y >= top && y < top + cell);
    if (hit >= 0) choose(gallery.chosen[hit]);
  });

  // Ends are moved on the map: the nearer one follows the pointer.
  function mapPoint(event) {
    const area = map.getBoundingClientRect(), size = d.box[1] - d.box[0];
    return [d.box[0] + ((event.clientX - area.left) / area.width) * size, d.box[1] - ((event.clientY - area.top) / area.height) * size];
  }
  function setPoint(which, point) {
    refusal = "";
    const inside = point.map((v) => Number(clampTo(v, d.box[0], d.box[1]).toFixed(3)));
    if (inside.join() === endPoint(which === "to" ? "from" : "to").map((v) => Number(v.toFixed(3))).join()) return inside;
    state[which] = inside.join(",");
    return inside;
  }
  listen(map, "pointerdown", (event) => {
    if (!d) return;
    if (!d.planar) {
      end = event.clientX - map.getBoundingClientRect().left > map.clientWidth / 2 ? "to" : "from";
      draw();
      return;
    }
    const point = mapPoint(event), far = (which) => Math.hypot(...endPoint(which).map((v, i) => v - point[i]));
    end = far("from") <= far("to") ? "from" : "to";
    drag = { end, point: setPoint(end, point) };
    map.setPointerCapture(event.pointerId);
    moved(true);
    draw();
  });
  listen(map, "pointermove", (event) => {
    if (!drag) return;
    drag.point = setPoint(drag.end, mapPoint(event));
    moved(true);
    mapSurface.redraw();
  });
  const drop = () => {
    if (!drag) return;
    drag = null;
    moved();
    draw();
  };
  listen(map, "pointerup", drop);
  listen(map, "pointercancel", drop);
  const ARROWS = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, 1], ArrowDown: [0, -1] };
  listen(map, "keydown", (event) => {
    const way = ARROWS[event.key];
    if (!way || !d || event.ctrlKey || event.metaKey || event.altKey) return;
    event.preventDefault();
    if (!d.planar) {
      state[end] = String(clampTo(Number(state[end]) + way[0] + way[1], 0, (gallery?.tests ?? 1) - 1));
    } else {
      const size = (d.box[1] - d.box[0]) * STEP * (event.shiftKey ? 10 : 1), from = state[end].split(",").map(Number);
      const now = from.length === 2 ? from : endPoint(end);
      setPoint(end, now.map((v, i) => v + way[i] * size));
    }
    movedByKey();
    draw();
  });

  function pointAt(t) {
    cursor = t;
    set(part("readout"), readout());
    surface.redraw();
    mapSurface.redraw();
    box.dataset.cursor = cursor ?? "";
  }
  listen(stage, "pointermove", (event) => {
    if (!d || !shown()) return;
    hovering = true;
    const area = stage.getBoundingClientRect();
    pointAt(tOf(layout(area.width, area.height), event.clientX - area.left));
  });
  listen(stage, "pointerleave", () => {
    if (hovering) pointAt(null);
    hovering = false;
  });
  listen(stage, "keydown", (event) => {
    if (!d || !shown() || !["ArrowLeft", "ArrowRight", "Home", "End"].includes(event.key) || event.ctrlKey || event.metaKey || event.altKey) return;
    event.preventDefault();
    const r = shown(), now = cursor ?? 0, places = [0, ...r.t, 1];
    const next = { ArrowLeft: places.filter((t) => t < now - 1e-12).pop() ?? 0, ArrowRight: places.find((t) => t > now + 1e-12) ?? 1, Home: 0, End: 1 }[event.key];
    if (next < view[0] || next > view[1]) {
      const wide = view[1] - view[0], low = clampTo(next - wide / 2, 0, 1 - wide);
      view = [low, low + wide];
      raster = null;
    }
    pointAt(next);
    stage.setAttribute("aria-valuenow", fixed(next, 4));
    stage.setAttribute("aria-valuetext", part("readout").textContent);
  });

  const EXPORT = [1280, 640];
  const name = () => `kwta-line-gamma${fixed(gammaOf(here), 2)}`;
  listen(part("png"), "click", () => savedPng(`${name()}.png`, ...EXPORT, colours, paint));
  listen(part("svg"), "click", () => savedSvg(`${name()}.svg`, ...EXPORT, colours, paint));

  const stopTheme = whenThemeChanges(root, () => {
    colours = palette(root);
    raster = null;
    draw();
  });
  const resized = () => draw();
  window.addEventListener("resize", resized);

  return {
    update: inTurn(async (bytes) => {
      adopt(await unpacked(bytes));
      draw();
      speak();
    }),
    destroy() {
      playing = false;
      clock.stop();
      talk.stop();
      clearTimeout(spoken);
      window.removeEventListener("resize", resized);
      [surface, mapSurface, thumbSurface].forEach((one) => one.stop());
      [stopTheme, stopKeys, ...on].forEach((stop) => stop());
    },
  };
});
