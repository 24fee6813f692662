// Numbers in their limits and in words, for components that name this part in __init__.py.
//
//   clampTo(v, low, high)       v, but not beyond low and high
//   product(shape)              of all numbers of a shape
//   thousands(n), plural(n, word)   1,234; 1,234 words
//   roundUp(x)                  the smallest of 1, 2, 5 times a power of ten that is at least x

const clampTo = (v, low, high) => Math.min(Math.max(v, low), high);
const product = (shape) => shape.reduce((a, b) => a * b, 1);

const THOUSANDS = new Intl.NumberFormat("en-US");
const thousands = (n) => THOUSANDS.format(n);
const plural = (n, word) => `${thousands(n)} ${word}${n === 1 ? "" : "s"}`;

function roundUp(x) {
  const power = 10 ** Math.floor(Math.log10(x));
  return power * [1, 2, 5, 10].find((m) => m * power >= x * (1 - 1e-9));
}
