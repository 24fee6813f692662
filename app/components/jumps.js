// The borders of the regions on a plane, coloured and widened by how far f jumps there, with γ under the hand; beside them
// the distributions of |jump| and of the value v of the swapped pair over γ.
//
// data: bytes, see app/compute/jump_answer.py; the borders of many rungs of γ arrive in the background and stay here, so that
// moving γ needs no server. Reports moved: { values of the controls, key, have, setting }, see `reports` in shared.js.

const NEAR = 14; // px from a border at which it is meant
const SHADES = 24; // colours and widths of borders
const DECADES = 3; // of the scale of colours
const NONE = 65535; // no unit
const GRID = 48; // squares along a side in which borders are looked up
const BENEATH = 68; // px that the legend takes at the lower rim

// The borders of one rung, as app/compute/jump_block.py packs them; their ends in u, −1 … 1.
function picture(bytes) {
  const { header, body } = headed(bytes);
  const r = reader(body);
  const n = header.borders;
  const steps = r.words(4 * n);
  const ends = new Float32Array(4 * n);
  for (let i = 0; i < 4 * n; i++) ends[i] = (2 * steps[i]) / 65535 - 1;
  return { ...header, n, ends, sizes: r.floats(3 * n), values: r.floats(2 * n), leaves: r.words(n), enters: r.words(n), layers: r.bytes(n), looks: new Map() };
}

// |jump| at the share s of border i. The jump is affine there, so its square in l2 or of one logit is the parabola through the
// three squares, exactly.
function sizeAt(p, i, s) {
  const [a, m, b] = [p.sizes[3 * i] ** 2, p.sizes[3 * i + 1] ** 2, p.sizes[3 * i + 2] ** 2];
  return Math.sqrt(Math.max(a + s * (-3 * a + 4 * m - b) + s * s * (2 * a - 4 * m + 2 * b), 0));
}

const isFlat = (p, i) => !(p.sizes[3 * i] || p.sizes[3 * i + 1] || p.sizes[3 * i + 2]);

// Calls piece(x0, y0, x1, y1, size) for stretches of a border on which the size hardly changes; size 0 for no jump.
function stretches(p, i, piece) {
  const [x0, y0, x1, y1] = [p.ends[4 * i], p.ends[4 * i + 1], p.ends[4 * i + 2], p.ends[4 * i + 3]];
  if (isFlat(p, i)) return piece(x0, y0, x1, y1, 0);
  const [a, m, b] = [p.sizes[3 * i], p.sizes[3 * i + 1], p.sizes[3 * i + 2]];
  const [low, high] = [Math.min(a, m, b), Math.max(a, m, b)];
  const wanted = Math.ceil(Math.log(high / Math.max(low, high / 1000)) / 0.35);
  const n = clampTo(Math.min(wanted, Math.ceil(Math.hypot(x1 - x0, y1 - y0) * 50)), 1, 16);
  for (let k = 0; k < n; k++) {
    const [s, t] = [k / n, (k + 1) / n];
    piece(x0 + s * (x1 - x0), y0 + s * (y1 - y0), x0 + t * (x1 - x0), y0 + t * (y1 - y0), Math.max(sizeAt(p, i, (s + t) / 2), Number.MIN_VALUE));
  }
  return undefined;
}

// ----- which border a point is near

function extentOfBorder(p, i) {
  const [x0, y0, x1, y1] = p.ends.subarray(4 * i, 4 * i + 4);
  return [Math.min(x0, x1), Math.max(x0, x1), Math.min(y0, y1), Math.max(y0, y1)];
}

function distanceTo(p, i, x, y) {
  const [x0, y0, x1, y1] = p.ends.subarray(4 * i, 4 * i + 4);
  const [dx, dy] = [x1 - x0, y1 - y0];
  const s = clampTo(((x - x0) * dx + (y - y0) * dy) / Math.max(dx * dx + dy * dy, 1e-30), 0, 1);
  return Math.hypot(x0 + s * dx - x, y0 + s * dy - y);
}

function borderAt(p, x, y, reach) {
  if (!(Math.abs(x) <= 1 + reach && Math.abs(y) <= 1 + reach)) return -1;
  const { lists, place } = cached(p, "squares", () => squares(p.n, GRID, (i) => extentOfBorder(p, i)));
  let [best, least] = [-1, reach];
  for (let r = place(y - reach); r <= place(y + reach); r++) {
    for (let c = place(x - reach); c <= place(x + reach); c++) {
      for (const i of lists[r * GRID + c]) {
        const far = distanceTo(p, i, x, y);
        if (far < least) [best, least] = [i, far];
      }
    }
  }
  return best;
}

// Up to `most` numbers 1, 2, 5 … times powers of ten, or powers of ten alone, between low and high.
function ticksBetween(low, high) {
  const found = [];
  const wide = Math.log10(high / low) > 2.2;
  for (let e = Math.floor(Math.log10(low)); e <= Math.ceil(Math.log10(high)); e++) {
    for (const m of wide ? [1] : [1, 2, 5]) if (m * 10 ** e >= low * 0.999 && m * 10 ** e <= high * 1.001) found.push(m * 10 ** e);
  }
  const stride = Math.ceil(found.length / 5);
  return found.filter((_, i) => (found.length - 1 - i) % stride === 0);
}

export default mounted((root, send) => {
  const part = (name) => root.querySelector(`.${name}`);
  const box = part("jumps");
  const stage = part("stage");
  const [caption, more] = root.querySelector("figcaption").children;
  let d = null; // the last answer
  let setting = null; // what stays while γ and window move
  let state = null; // what the hand wants
  let pictures = new Map(); // rung → borders, of d.key
  let figures = new Map(); // rung → numbers
  let failed = new Map(); // rung → why there is none
  const plane = planeWindow();
  let shown = null; // the borders on the canvas
  let colours = theme(root);
  let target = null; // the 2-D context that is painted on

  // ----- talking with the page

  const hear = reports(send, {
    values: () => ({ ...state, rung: ladder.usual ? 0 : state.rung, window: windowText(plane.view), key: d?.key ?? "", have: [...pictures.keys()], setting: setting?.name ?? "" }),
    wants: () => {
      if (!d || (d.done && pictures.size + failed.size >= d.rungs.length)) return null;
      return d.going && !d.each && d.state.jumps_below !== "cliffs" ? 40 : 400; // every answer draws the cliffs anew
    },
    busy: () => Boolean(hand.pulling),
    before: () => { ladder.gentle = false; },
  });

  async function receive(bytes) {
    const { header, body } = headed(bytes);
    const r = reader(body);
    const next = header.setting ? readSetting(header.setting, r) : setting;
    const r2 = reader(body.subarray(header.setting_bytes));
    const found = await Promise.all(header.blocks.map(async ([rung, size]) => [rung, picture(await unzipped(r2.bytes(size)))]));
    const isOwn = hear.isOwn(header.seq);
    hear.answered(header.seq, isOwn);
    const isNew = header.key !== d?.key;
    if (isNew) pictures = new Map();
    found.forEach(([rung, p]) => pictures.set(rung, p));
    const other = setting?.name !== next?.name;
    setting = next;
    d = header;
    figures = new Map(d.figures);
    failed = new Map(d.failed);
    if (!state || isOwn || other) {
      if (!hand.pulling && !hear.resting) {
        const { usual, bare, ...said } = ladder.adopted(header.state, isNew);
        state = said;
        plane.view = windowOf(header.state.window);
      }
    }
    plane.at = windowOf(header.state.window);
    if (other) hand.hover = hand.pinned = null;
    look();
    draw();
    hear.poll();
    if (ladder.gentle && !d.each && d.done && pictures.size >= d.rungs.length && ladder.usual && header.state.window === "" && header.state.phi === "kwta") ladder.tourSoon(() => state.phi === "kwta" && !hand.hover && !hand.pulling);
  }

  // ----- γ

  const rungs = () => (d ? d.rungs.length - 1 : 0);
  const current = () => (state.phi === "relu" ? 0 : state.rung);
  const isHere = (rung) => pictures.has(rung);
  const ladder = rungPlayer({
    state: () => state, count: rungs, isHere, draw, look, moved: hear.moved, rested: hear.rested,
    canPass: (rung) => isHere(rung) || failed.has(rung),
    speed: () => (d.each ? 1.5 : PER_SECOND),
    chosen: () => { state.phi = "kwta"; },
  });

  const gammaOf = (rung) => d.rungs[rung][0];
  const gammaName = (rung) => (rung ? `γ = ${fixed(gammaOf(rung), 3)}` : "ReLU");
  const winnersOf = (rung) => winnersText(d.rungs[rung][1], d.sizes);

  // ----- what is chosen

  function look() {
    if (!state) return;
    const names = ["kwta plane jumps", `nets-${state.nets}`, setting.planar && "planar", d.state.bare && "bare", plane.view.half < 1 && "zoomed", hand.spot && "pointing", (state.size === "logit" || d.state.jumps_below === "cliffs") && "of-logit"];
    box.className = names.filter(Boolean).join(" ");
    controls.look(d.training, ladder.playing, rungs());
    part("relu").setAttribute("aria-pressed", String(state.phi === "relu"));
    fit();
  }

  // The largest picture that leaves the curves room beside it, or the window's width.
  function fit() {
    const width = box.clientWidth;
    if (!width) return;
    const narrow = width < 700;
    const top = Math.max(0, Math.min(box.getBoundingClientRect().top + window.scrollY, 160)) + part("controls").offsetHeight;
    const rest = window.innerHeight - top - root.querySelector("figcaption").offsetHeight - part("ladder").offsetHeight - 30;
    const side = Math.floor(narrow ? width : clampTo(Math.min(rest, width * 0.5), 220, 1000));
    part("body").classList.toggle("narrow", narrow);
    const figure = root.querySelector("figure");
    figure.style.width = `${side}px`;
    const words = [part("see"), part("why"), part("border")].reduce((sum, element) => sum + element.offsetHeight, 18);
    const high = `${narrow ? 330 : Math.round(clampTo(side + figure.firstElementChild.offsetHeight - words, 230, 620))}px`;
    if (part("chart").style.height !== high) part("chart").style.height = high;
  }

  // ----- sizes, absolute or in standard deviations of f on the plane

  const isRelative = () => Boolean(Number(state.relative));
  const scaleOf = (rung) => (isRelative() ? 1 / Math.max(figures.get(rung)?.spread ?? 1, 1e-300) : 1);
  const sizeName = () => ({ l2: "‖jump‖₂", l1: "‖jump‖₁", linf: "‖jump‖∞", logit: `|jump| of logit ${setting.classes[state.logit]}` })[state.size];
  const unitName = () => (isRelative() ? "standard deviations of f on the plane" : "in units of the logits");

  // The same scale for every γ: from the largest 95 % quantile down DECADES.
  function range() {
    let top = 0;
    for (const [rung, row] of figures) if (rung && row.size[4]) top = Math.max(top, row.size[4] * scaleOf(rung));
    const high = top > 0 ? roundUp(top) : 1;
    return [high / 10 ** DECADES, high];
  }
  const shareOf = (size, [low, high]) => clampTo(Math.log(size / low) / Math.log(high / low), 0, 1);
  // Large jumps stand out: dark on a light page, bright on a dark one.
  const toneOf = (share) => viridis(colours.dark ? share : 0.93 * (1 - share));
  const widthOf = (share) => 0.8 + 4.2 * share ** 1.4;

  // ----- the picture

  function pathsOf(p, scale) {
    const [low, high] = range();
    return cached(p, [scale, low, high].join(), () => {
      const paths = Array.from({ length: SHADES + 1 }, () => new Path2D());
      for (let i = 0; i < p.n; i++) {
        stretches(p, i, (x0, y0, x1, y1, size) => {
          const path = paths[size ? 1 + Math.min(Math.floor(shareOf(size * scale, [low, high]) * SHADES), SHADES - 1) : 0];
          path.moveTo(x0, y0);
          path.lineTo(x1, y1);
        });
      }
      return paths;
    });
  }

  const thinner = (p) => clampTo(Math.sqrt(2500 / Math.max(p.n, 1)), 0.45, 1);

  function paintBorders(g, p, side) {
    const { s, ox, oy } = plane.transform(side);
    const thin = thinner(p);
    g.save();
    g.transform(s, 0, 0, -s, ox, oy);
    g.lineCap = "round";
    pathsOf(p, scaleOf(p.rung)).forEach((path, shade) => {
      const share = (shade - 0.5) / SHADES;
      g.strokeStyle = shade ? toneOf(share) : colours.text;
      g.globalAlpha = shade ? 1 : 0.35;
      g.lineWidth = (shade ? thin * widthOf(share) : 0.8) / s;
      g.stroke(path);
    });
    g.restore();
  }

  function paintOver(s, side) {
    if (setting.planar && Number(state.points)) paintPoints(s, setting, plane, side);
    paintInputs(s, target, setting, plane, side, BENEATH, { stroke: colours.text, width: 1 });
    for (const spot of [hand.pinned, hand.hover]) if (spot) paintMarked(s, side, borderUnder(spot, side));
    paintScale(s, side);
  }

  // A border with its ends A and B, and an arrow from the cell in which the winner still wins.
  function paintMarked(s, side, i) {
    if (i < 0) return;
    const { s: m, ox, oy } = plane.transform(side);
    const [x0, y0, x1, y1] = [0, 1, 2, 3].map((c) => (c % 2 ? oy - m * shown.ends[4 * i + c] : ox + m * shown.ends[4 * i + c]));
    for (const [stroke, width] of [[colours.background, 7], [colours.positive, 3.5]]) s.line(x0, y0, x1, y1, { stroke, width });
    const length = Math.hypot(x1 - x0, y1 - y0) || 1;
    const [nx, ny] = [-(y1 - y0) / length, (x1 - x0) / length]; // to the right of A → B on the screen
    const [mx, my] = [(x0 + x1) / 2, (y0 + y1) / 2];
    const tip = [mx + 15 * nx, my + 15 * ny];
    s.line(mx - 13 * nx, my - 13 * ny, ...tip, { stroke: colours.text, width: 2 });
    s.polygon([tip, [mx + 7 * nx + 4 * ny, my + 7 * ny - 4 * nx], [mx + 7 * nx - 4 * ny, my + 7 * ny + 4 * nx]], { fill: colours.text });
    [["A", x0, y0, -1], ["B", x1, y1, 1]].forEach(([name, x, y, sign]) => {
      s.circle(x, y, 3.5, { fill: colours.positive, stroke: colours.background });
      const [tx, ty] = [clampTo(x + (sign * 12 * (x1 - x0)) / length, 8, side - 8), clampTo(y + (sign * 12 * (y1 - y0)) / length, 8, side - 8)];
      s.circle(tx, ty, 8, { fill: colours.background, alpha: 0.85 });
      s.text(tx, ty, name, { size: 13, weight: 700, align: "middle", fill: colours.text });
    });
  }

  function paintScale(s, side) {
    const [low, high] = range();
    const width = Math.min(210, side * 0.5);
    const [x, y] = [12, side - 16];
    s.rect(x - 7, y - 34, width + 92, 46, { fill: colours.background, alpha: 0.95, radius: 4 });
    s.text(x, y - 24, `${sizeName()}${isRelative() ? ", in standard deviations of f" : ""}`, { size: 12, weight: 600, fill: colours.text });
    for (let i = 0; i < 48; i++) {
      const share = (i + 0.5) / 48;
      const h = 2 * widthOf(share);
      s.rect(x + (i * width) / 48, y - h / 2 + 4, width / 48 + 0.6, h, { fill: toneOf(share) });
    }
    for (let e = 0; e <= DECADES; e++) {
      const text = number(low * 10 ** e, 1);
      s.text(x + (e * width) / DECADES, y - 9, e ? text : `≤ ${text}`, { size: 12, fill: colours.text, align: e === 0 ? "start" : e === DECADES ? "end" : "middle" });
    }
    s.line(x + width + 14, y + 4, x + width + 34, y + 4, { stroke: colours.text, width: 1, alpha: 0.5 });
    s.text(x + width + 39, y + 4, "none", { size: 12, fill: colours.text });
  }

  function borderUnder(spot, side = stage.clientWidth) {
    if (!shown || !spot) return -1;
    if (spot.border >= 0 && spot.rung === shown.rung && spot.key === d.key) return spot.border;
    const reach = (NEAR / side) * 2 * (plane.view.half / plane.at.half);
    return borderAt(shown, ...plane.inU(spot), reach);
  }

  const fits = fitted(stage, (context, side) => {
    if (!state) return;
    target = context;
    context.fillStyle = colours.panel;
    context.fillRect(0, 0, side, side);
    if (shown) paintCached(context, side);
    paintOver(canvasSurface(context, colours.font), side);
  });

  // The borders are kept as an image once they were painted, so that pointing costs little.
  let kept = null;
  function paintCached(context, side) {
    const density = Math.min(window.devicePixelRatio || 1, 3);
    const { s, ox, oy } = plane.transform(side);
    const name = [d.key, shown.rung, scaleOf(shown.rung), range(), side, density, colours.dark, s, ox, oy].join();
    if (kept?.name !== name) {
      kept = { name, canvas: kept?.canvas };
      return paintBorders(context, shown, side);
    }
    if (!kept.isDrawn) {
      const size = Math.round(side * density);
      if (kept.canvas?.width !== size) kept.canvas = new OffscreenCanvas(size, size);
      const g = kept.canvas.getContext("2d");
      g.setTransform(1, 0, 0, 1, 0, 0);
      g.clearRect(0, 0, size, size);
      g.setTransform(density, 0, 0, density, 0, 0);
      paintBorders(g, shown, side);
      kept.isDrawn = true;
    }
    return context.drawImage(kept.canvas, 0, 0, side, side);
  }

  function draw() {
    if (!d || !setting) return;
    const start = performance.now();
    const rung = current();
    if (isHere(rung)) shown = pictures.get(rung);
    else if (rung && nearestRung(pictures, rung) !== null) shown = pictures.get(nearestRung(pictures, rung));
    else if (!isHere(shown?.rung)) shown = null;
    fits.redraw();
    marks.redraw();
    chart.redraw();
    words();
    box.dataset.ms = (performance.now() - start).toFixed(2);
  }

  const marks = rungMarks(part("marks"), { count: rungs, isHere, colours: () => colours });

  // ----- the two curves over γ

  const chart = fitted(part("chart"), (g, width, height) => {
    if (d && state) paintChart(canvasSurface(g, colours.font), width, height);
  });

  const rowsOf = () => [...figures].filter(([rung, row]) => rung && row.size[2] !== null).sort((a, b) => a[0] - b[0])
    .map(([rung, row]) => ({ ...row, rung, gamma: gammaOf(rung), size: row.size.map((v) => v * scaleOf(rung)) }));

  const xOf = (width) => {
    const [left, right] = [56, width - 10];
    return { left, right, x: (gamma) => left + gamma * (right - left) };
  };

  function paintChart(s, width, height) {
    const rows = rowsOf();
    const { left, right, x } = xOf(width);
    const middle = Math.round(height * 0.53);
    const ink = { fill: colours.text, size: 13 };
    for (const gamma of [0, 0.25, 0.5, 0.75, 1]) {
      s.line(x(gamma), 20, x(gamma), height - 20, { stroke: colours.border, alpha: 0.5 });
      s.text(x(gamma), height - 9, fixed(gamma, 2), { ...ink, align: gamma === 1 ? "end" : "middle" });
    }
    s.text(x(0.125), height - 9, "γ", { ...ink, italic: true, align: "middle" });
    const y1 = paintSizes(s, rows, [left, right, 22, middle - 8], x);
    const y2 = paintValues(s, rows, [left, right, middle + 20, height - 20], x);
    paintCursor(s, rows, [y1, y2], x, [22, height - 20]);
  }

  function band(s, rows, pick, [low, high], x, y, alpha, fill) {
    if (rows.length < 2) return;
    const upper = rows.map((row) => [x(row.gamma), y(pick(row)[high])]);
    const lower = rows.map((row) => [x(row.gamma), y(pick(row)[low])]).reverse();
    s.polygon([...upper, ...lower], { fill, alpha });
  }

  function trace(s, points, o) {
    for (let i = 1; i < points.length; i++) s.line(...points[i - 1], ...points[i], typeof o === "function" ? o(i) : o);
  }

  function paintSizes(s, rows, [left, right, top, bottom], x) {
    const ink = { fill: colours.text, size: 13 };
    s.text(left - 46, top - 12, `${sizeName()} at the borders, ${unitName()}`, { ...ink, size: 12.5, weight: 600 });
    const seen = rows.flatMap((row) => row.size.slice(1, 4)).filter((v) => v > 0);
    const edges = rows.flatMap((row) => [row.size[0], row.size[4]]).filter((v) => v > 0);
    if (!seen.length) {
      s.text((left + right) / 2, (top + bottom) / 2, rows.length ? "no jumps" : "measured γ appear here", { ...ink, align: "middle" });
      return null;
    }
    const low = Math.max(Math.min(...edges), Math.min(...seen) / 10);
    const high = Math.max(...edges, low * 10);
    const y = (v) => bottom - (clampTo(Math.log(Math.max(v, low) / low) / Math.log(high / low), 0, 1)) * (bottom - top);
    for (const tick of ticksBetween(low, high)) {
      s.line(left, y(tick), right, y(tick), { stroke: colours.border, alpha: 0.6 });
      s.text(left - 6, y(tick), number(tick, 1), { ...ink, align: "end" });
    }
    band(s, rows, (row) => row.size, [0, 4], x, y, 0.16, colours.primary);
    band(s, rows, (row) => row.size, [1, 3], x, y, 0.3, colours.primary);
    const points = rows.map((row) => [x(row.gamma), y(row.size[2])]);
    trace(s, points, { stroke: colours.primary, width: 2.5, dash: d.each ? [5, 4] : undefined });
    points.forEach(([px, py], i) => {
      if (d.each || rows.length < 30 || !rows[i].is_all) s.circle(px, py, 3, { fill: rows[i].is_all ? colours.primary : colours.background, stroke: colours.primary });
    });
    const best = least(rows);
    s.text(clampTo(x(best.gamma), left + 60, right - 66), Math.min(y(best.size[2]) + 13, bottom - 6), `smallest at γ = ${fixed(best.gamma, 2)}`, { ...ink, size: 12, align: "middle" });
    return y;
  }

  function paintValues(s, rows, [left, right, top, bottom], x) {
    const ink = { fill: colours.text, size: 13 };
    s.text(left - 46, top - 11, "value v at which winner and loser swap, and |v| (dashed)", { ...ink, size: 12.5, weight: 600 });
    const known = rows.filter((row) => row.value[2] !== null);
    if (!known.length) return null;
    const high = Math.max(...known.map((row) => Math.max(row.value[4], 0)), 1e-9);
    const low = Math.min(...known.map((row) => Math.min(row.value[0], 0)), -1e-9);
    const y = (v) => bottom - ((v - low) / (high - low)) * (bottom - top);
    const step = roundUp((high - low) / 5);
    for (let k = Math.ceil(low / step); k <= high / step; k++) {
      s.line(left, y(k * step), right, y(k * step), { stroke: k ? colours.border : colours.text, alpha: k ? 0.6 : 0.7, width: k ? 1 : 1.2 });
      s.text(left - 6, y(k * step), number(+(k * step).toPrecision(3), 2), { ...ink, align: "end" });
    }
    band(s, known, (row) => row.value, [0, 4], x, y, 0.14, colours.text);
    band(s, known, (row) => row.value, [1, 3], x, y, 0.18, colours.text);
    const points = known.map((row) => [x(row.gamma), y(row.value[2])]);
    trace(s, points, (i) => ({ stroke: known[i].value[2] < 0 ? colours.negative : colours.positive, width: 3 }));
    trace(s, known.map((row) => [x(row.gamma), y(row.level[2])]), { stroke: colours.text, width: 1.6, dash: [5, 4] });
    s.text(x(0.5), top + 8, "v > 0: positive winners", { ...ink, size: 12, align: "middle" });
    s.text(left + 6, bottom - 8, "v < 0: negative winners", { ...ink, size: 12 });
    return y;
  }

  function paintCursor(s, rows, [y1, y2], x, [top, bottom]) {
    const rung = current();
    if (!rung) return;
    const here = x(gammaOf(rung));
    s.line(here, top, here, bottom, { stroke: colours.positive, width: 2 });
    const row = rows.find((r) => r.rung === rung);
    if (!row) return;
    if (y1) s.circle(here, y1(row.size[2]), 5.5, { fill: colours.positive, stroke: colours.background, width: 2 });
    if (y2 && row.value[2] !== null) s.circle(here, y2(row.value[2]), 5.5, { fill: colours.positive, stroke: colours.background, width: 2 });
  }

  const least = (rows) => rows.reduce((best, row) => (row.size[2] < best.size[2] ? row : best));

  // ----- the words

  // Words with <b> around numbers; everything in them is made here.
  function tell(element, words) {
    const html = words.map((word) => (Array.isArray(word) ? `<b>${word[0]}</b>` : word)).join("").replaceAll("&", "&amp;");
    if (element.innerHTML !== html) element.innerHTML = html;
  }

  function captionWords() {
    const rung = current();
    const kind = d.each ? (rung ? `trained at ${gammaName(rung)}` : "trained with ReLU") : gammaName(rung);
    if (failed.has(rung)) return [`${kind}: no picture`, failed.get(rung)];
    if (!shown || shown.rung !== rung) return [`${kind}: ${d.each ? "in training …" : "being computed …"}`, shown ? `shown meanwhile: ${gammaName(shown.rung)}` : ""];
    const count = `${plural(shown.n, "border")} of ${plural(shown.cells, "region")}`;
    if (!shown.complete) return [`${kind}: over ${count}`, `limit reached: ${fixed(100 * shown.covered, 1)} % of the area is shown. Zoom in for all of it`];
    const nets = d.each ? "a network of its own, trained at this γ" : "the weights stay, only γ is varied";
    return [`${kind}: ${count}, exact`, rung ? `${winnersOf(rung)} · ${nets}` : `${d.each ? "a network of its own" : "the same weights"} · no jump at any border`];
  }

  function see() {
    const rung = current();
    const rows = rowsOf();
    if (!rung) return [`<b>ReLU</b>: f only bends at its borders; no border jumps. Choose a γ to see the cliffs of k-WTA.`];
    const row = rows.find((r) => r.rung === rung);
    if (!row) return [`γ = ${fixed(gammaOf(rung), 3)}: ${figures.has(rung) ? "no borders here" : "not measured yet"}.`];
    const best = least(rows);
    const [first, last] = [rows[0], rows[rows.length - 1]];
    const times = (r) => `×${number(r.size[2] / Math.max(best.size[2], 1e-300), 2)} at γ = ${fixed(r.gamma, 2)}`;
    const turn = rows.length < 5 ? "" : ` Smallest: ${number(best.size[2], 2)} at γ = ${fixed(best.gamma, 2)}; ${times(first)}, ${times(last)}.`;
    return ["Median |jump| ", [number(row.size[2], 2)], ` (middle half ${number(row.size[1], 2)} to ${number(row.size[3], 2)}) at γ = ${fixed(row.gamma, 3)}.${turn}`];
  }

  function why() {
    const rung = current();
    if (!rung) return ["At a border of ReLU the switching unit is at v = 0, so the output has nothing to jump by."];
    const row = rowsOf().find((r) => r.rung === rung);
    if (!row || row.value[2] === null) return ["The jump is v (Wⱼ − Wᵢ): v is what winner and loser both have where they swap."];
    const side = row.negative > 0.95 ? "nearly all winners that swap are negative" : row.negative < 0.05 ? "the swapping units are positive" : `${fixed(100 * row.negative, 0)} % of the borders have v < 0`;
    return ["The jump starts as v (Wⱼ − Wᵢ). Here the median v is ", [number(row.value[2], 2)], `, |v| ${number(row.level[2], 2)}: ${side}. Where the k-th largest is near 0, cliffs are low.`];
  }

  function words() {
    const [main, about] = captionWords();
    setText(caption, main);
    setText(more, about);
    stage.setAttribute("aria-label", `${main}. ${about}. Borders coloured and widened by ${sizeName()}.`);
    const rung = current();
    setText(part("gamma"), rung ? gammaName(rung) : "ReLU");
    part("gamma").title = winnersOf(state.rung);
    const slider = part("rung");
    if (Number(slider.value) !== state.rung) slider.value = String(state.rung);
    slider.setAttribute("aria-valuetext", `${gammaName(state.rung)}, ${winnersOf(state.rung)}`);
    part("relu").setAttribute("aria-pressed", String(state.phi === "relu"));
    tell(part("see"), see());
    tell(part("why"), why());
    part("chart").setAttribute("aria-label", `Median and quantiles of |jump| and of v against γ: ${figures.size} of ${d.rungs.length} measured. ${part("see").textContent} ${part("why").textContent}`);
    info();
    const row = figures.get(rung);
    Object.assign(box.dataset, { key: d.key, rung: state.rung, borders: shown?.rung === rung ? shown.n : "", median: row?.size[2] ?? "", value: row?.value[2] ?? "", here: pictures.size, failed: failed.size, all: d.rungs.length, window: windowText(plane.at), settled: String(plane.isSettled()), playing: String(Boolean(ladder.playing)), nets: state.nets });
    if (!ladder.playing && !hand.pulling) speak(`${main}. ${part("see").textContent}`);
  }

  const speak = throttled((text) => setText(part("spoken"), text), 1500);

  function info() {
    const { spot } = hand;
    const i = borderUnder(spot);
    box.dataset.border = i;
    box.classList.toggle("pointing", Boolean(spot));
    thumb.redraw();
    if (i < 0) return setText(part("about"), d.training.done || !d.each ? "Point at a border: its layer, the units that swap, the jump at both ends. A click pins it; the wheel zooms." : "Networks are trained one after another, nearest γ first; each appears as soon as it is ready.");
    const p = shown;
    const scale = scaleOf(p.rung);
    const [a, b] = [number(p.sizes[3 * i] * scale), number(p.sizes[3 * i + 2] * scale)];
    const [leaves, enters] = [p.leaves[i], p.enters[i]];
    const layer = `Border ${i}${hand.pinned && !hand.hover ? ", pinned" : ""}, layer ${p.layers[i] + 1}: `;
    if (leaves === NONE || enters === NONE) return setText(part("about"), `${layer}unit ${leaves === NONE ? enters : leaves} switches ${leaves === NONE ? "on" : "off"} along the arrow; no jump, f bends.`);
    return setText(part("about"), `${layer}along the arrow unit ${leaves} leaves and unit ${enters} enters. |jump| ${a} at A, ${b} at B${isRelative() ? " standard deviations" : ""}; v = ${number(p.values[2 * i])} at A, ${number(p.values[2 * i + 1])} at B.`);
  }

  // ----- the hand

  const changed = () => {
    box.classList.toggle("zoomed", plane.view.half < 1);
    draw();
  };
  const hand = planeHand([stage], plane, {
    isReady: () => Boolean(d && setting),
    halt: () => ladder.halt(),
    calm: () => ladder.tour && ladder.halt(),
    pointed() {
      fits.redraw();
      info();
    },
    clicked(spot) {
      const border = borderUnder(spot);
      const again = hand.pinned && borderUnder(hand.pinned) === border;
      hand.pinned = border < 0 || again ? null : { ...spot, border, rung: shown.rung, key: d.key };
    },
    changed, moved: hear.moved, rested: hear.rested,
  });
  const thumb = planeThumb(part("thumb"), () => setting, hand);

  // The curves: pulling along them moves γ.
  function gammaAt(event) {
    const { x } = xOf(part("chart").clientWidth);
    return rungNear(event, rungs(), (rung) => x(gammaOf(rung)));
  }
  part("chart").addEventListener("pointerdown", (event) => {
    if (!d || event.button) return;
    ladder.halt();
    part("chart").setPointerCapture(event.pointerId);
    ladder.to(gammaAt(event));
  });
  part("chart").addEventListener("pointermove", (event) => {
    if (d && part("chart").hasPointerCapture(event.pointerId)) ladder.to(gammaAt(event));
  });

  part("rung").addEventListener("input", (event) => { ladder.halt(); ladder.to(Number(event.target.value)); });
  part("rung").addEventListener("change", () => hear.moved());
  const whole = () => { plane.view = wholeWindow(); look(); draw(); hear.moved(); };
  part("relu").onclick = () => d && choose("phi", state.phi === "relu" ? "kwta" : "relu");

  function choose(key, value) {
    if (ladder.tour) ladder.goHome();
    ladder.halt();
    state[key] = value;
    if (OF_PLANE.includes(key)) { plane.view = wholeWindow(); hand.pinned = null; }
    if (key === "nets") { ladder.usual = true; state.rung = 1; hand.pinned = null; }
    look();
    draw();
    hear.moved();
  }
  const controls = planeControls(root, { state: () => state, setting: () => setting, choose });

  // ----- to keep

  // A surface that draws the same, moved to the right and down.
  function shifted(s, dx, dy) {
    return {
      ...s,
      rect: (x, y, w, h, o) => s.rect(x + dx, y + dy, w, h, o),
      circle: (x, y, r, o) => s.circle(x + dx, y + dy, r, o),
      line: (x1, y1, x2, y2, o) => s.line(x1 + dx, y1 + dy, x2 + dx, y2 + dy, o),
      polygon: (points, o) => s.polygon(points.map(([x, y]) => [x + dx, y + dy]), o),
      text: (x, y, text, o) => s.text(x + dx, y + dy, text, o),
    };
  }

  function paintAll(s, width, height) {
    const side = height - 50;
    const [main, about] = captionWords();
    s.text(0, 12, main, { size: 17, weight: 700, fill: colours.text });
    s.text(0, 32, about, { size: 12, fill: colours.text });
    const own = shifted(s, 0, 46);
    if (shown) exported(own, shown, side);
    target = null; // images of the inputs are no lines
    paintOver(own, side);
    paintChart(shifted(s, side + 20, 46), width - side - 20, side);
    s.text(side + 20, 12, part("see").textContent.split(". ")[0], { size: 13, fill: colours.text });
  }

  function exported(s, p, side) {
    const { s: m, ox, oy } = plane.transform(side);
    const scale = scaleOf(p.rung);
    const found = [];
    for (let i = 0; i < p.n; i++) stretches(p, i, (x0, y0, x1, y1, size) => found.push([size ? shareOf(size * scale, range()) : -1, ox + m * x0, oy - m * y0, ox + m * x1, oy - m * y1]));
    found.sort((a, b) => a[0] - b[0]);
    for (const [share, x0, y0, x1, y1] of found) {
      if (Math.min(x0, x1) > side || Math.max(x0, x1) < 0 || Math.min(y0, y1) > side || Math.max(y0, y1) < 0) continue;
      s.line(x0, y0, x1, y1, share < 0 ? { stroke: colours.text, width: 0.8, alpha: 0.35 } : { stroke: toneOf(share), width: thinner(p) * widthOf(share) });
    }
  }
  const shape = () => [stage.clientWidth + 20 + Math.max(part("chart").clientWidth, 460), stage.clientWidth + 50];
  part("png").onclick = () => d && savedPng("kwta-jumps.png", ...shape(), colours, paintAll);
  part("svg").onclick = () => d && savedSvg("kwta-jumps.svg", ...shape(), colours, paintAll);

  const resize = new ResizeObserver(() => { if (state && d) fit(); });
  resize.observe(box);
  const stops = [
    fits.stop, marks.stop, chart.stop, thumb.stop, hear.stop,
    whenThemeChanges(root, () => { colours = theme(root); kept = null; draw(); }),
    planeKeys(root, plane, ladder, hand, whole, () => Boolean(d && setting)),
    () => resize.disconnect(), ladder.stop,
  ];

  return { update: inTurn(receive), destroy: () => stops.forEach((stop) => stop()) };
});
