// Polygons of cells on which f is affine: what f says there, their classes, their edges, and which one a point lies in.
//
// Cells are { n, outputs, sides, offsets, points, maps, edges }: vertices of cell i are points[2 offsets[i]] …, counter-
// clockwise in u, −1 … 1; logit o on cell i is maps[m] x + maps[m + 1] y + maps[m + 2], m = 3 (i outputs + o); edges[v] is
// the layer, from 1 on, at which the edge from vertex v on arose, 0 on the rim; TWICE marks one that another cell draws.

const TWICE = 0x80;

// Where the vertices of each cell begin.
function offsetsOf(sides) {
  const found = new Uint32Array(sides.length + 1);
  for (let i = 0; i < sides.length; i++) found[i + 1] = found[i] + sides[i];
  return found;
}

// What is made of a picture at most once; `looks` is a Map of it.
function cached(p, key, make) {
  if (!p.looks.has(key)) p.looks.set(key, make());
  return p.looks.get(key);
}

const mapAt = (p, i, o, x, y) => {
  const at = 3 * (i * p.outputs + o);
  return p.maps[at] * x + p.maps[at + 1] * y + p.maps[at + 2];
};

// The class that cell i says at a point.
function says(p, i, x, y) {
  let best = 0;
  for (let o = 1; o < p.outputs; o++) if (mapAt(p, i, o, x, y) > mapAt(p, i, best, x, y)) best = o;
  return best;
}

const polygonOf = (p, i) => Array.from({ length: p.sides[i] }, (_, s) => [p.points[2 * (p.offsets[i] + s)], p.points[2 * (p.offsets[i] + s) + 1]]);

// The part of a polygon [[x, y] …] where a x + b y + c ≥ 0.
function clippedTo(polygon, a, b, c) {
  const out = [];
  polygon.forEach(([x, y], i) => {
    const [u, v] = polygon[(i + 1) % polygon.length];
    const [here, there] = [a * x + b * y + c, a * u + b * v + c];
    if (here >= 0) out.push([x, y]);
    if ((here >= 0) !== (there >= 0)) {
      const t = here / (here - there);
      out.push([x + t * (u - x), y + t * (v - y)]);
    }
  });
  return out;
}

// [class, polygon] of all cells: one class at all vertices is the class of all of a cell; else it is divided.
function classParts(p) {
  const parts = [];
  for (let i = 0; i < p.n; i++) {
    const polygon = polygonOf(p, i);
    const found = [...new Set(polygon.map(([x, y]) => says(p, i, x, y)))];
    if (found.length === 1) {
      parts.push([found[0], polygon]);
      continue;
    }
    for (let o = 0; o < p.outputs; o++) {
      let part = polygon;
      for (let q = 0; q < p.outputs && part.length; q++) {
        if (q === o) continue;
        const [a, b] = [3 * (i * p.outputs + o), 3 * (i * p.outputs + q)];
        part = clippedTo(part, p.maps[a] - p.maps[b], p.maps[a + 1] - p.maps[b + 1], p.maps[a + 2] - p.maps[b + 2]);
      }
      if (part.length > 2) parts.push([o, part]);
    }
  }
  return parts;
}

// Calls edge(layer, a, b) with the numbers of its two vertices for every edge inside, once.
function eachEdge({ n, offsets, edges }, edge) {
  for (let i = 0; i < n; i++) {
    const end = offsets[i + 1];
    for (let a = offsets[i]; a < end; a++) {
      const layer = edges[a];
      if (layer && !(layer & TWICE)) edge(layer, a, a + 1 < end ? a + 1 : offsets[i]);
    }
  }
}

// Lists of things by square, side² squares on u, −1 … 1, so that a point is compared with few of n things. extent(i) is
// the box [x0, x1, y0, y1] of thing i.
function squares(n, side, extent) {
  const lists = Array.from({ length: side * side }, () => []);
  const place = (x) => clampTo(Math.floor(((x + 1) / 2) * side), 0, side - 1);
  for (let i = 0; i < n; i++) {
    const [x0, x1, y0, y1] = extent(i);
    for (let r = place(y0); r <= place(y1); r++) for (let c = place(x0); c <= place(x1); c++) lists[r * side + c].push(i);
  }
  return { side, lists, place };
}

function extentOf(p, i) {
  let [x0, x1, y0, y1] = [1, -1, 1, -1];
  for (let v = p.offsets[i]; v < p.offsets[i + 1]; v++) {
    const [x, y] = [p.points[2 * v], p.points[2 * v + 1]];
    if (x < x0) x0 = x;
    if (x > x1) x1 = x;
    if (y < y0) y0 = y;
    if (y > y1) y1 = y;
  }
  return [x0, x1, y0, y1];
}

// The cell that a point lies deepest in, −1 for none.
function cellAt(p, x, y) {
  if (!(Math.abs(x) <= 1 && Math.abs(y) <= 1)) return -1;
  const { side, lists, place } = cached(p, "squares", () => squares(p.n, clampTo(Math.round(Math.sqrt(p.n)), 1, 200), (i) => extentOf(p, i)));
  let [best, least] = [-1, -1e-6];
  for (const i of lists[place(y) * side + place(x)]) {
    let inside = Infinity;
    for (let s = 0; s < p.sides[i]; s++) {
      const a = 2 * (p.offsets[i] + s);
      const b = 2 * (p.offsets[i] + ((s + 1) % p.sides[i]));
      const [dx, dy] = [p.points[b] - p.points[a], p.points[b + 1] - p.points[a + 1]];
      const length = Math.hypot(dx, dy);
      if (length) inside = Math.min(inside, (dx * (y - p.points[a + 1]) - dy * (x - p.points[a])) / length);
    }
    if (inside > least) [best, least] = [i, inside];
  }
  return best;
}
