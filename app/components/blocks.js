// Blocks of bytes as they come from the server: the header's length (uint32, little endian), the header as JSON, arrays.
//
//   unzipped(bytes)     the bytes of a block, whether it is gzipped or not
//   headed(bytes)       { header, body } of a block
//   reader(body)        hands out the arrays of a body one after another
//   inTurn(take)        update(data) of a component: take(bytes) for each block that is new, one after the other

async function unzipped(bytes) {
  if (bytes[0] !== 0x1f || bytes[1] !== 0x8b) return bytes; // a picture that was waited for comes as it is
  const stream = new Blob([bytes]).stream().pipeThrough(new DecompressionStream("gzip"));
  return new Uint8Array(await new Response(stream).arrayBuffer());
}

function headed(bytes) {
  const length = new DataView(bytes.buffer, bytes.byteOffset).getUint32(0, true);
  return { header: JSON.parse(new TextDecoder().decode(bytes.subarray(4, 4 + length))), body: bytes.subarray(4 + length) };
}

function reader(body) {
  let at = 0;
  const take = (n, Kind = Uint8Array) => {
    const bytes = body.slice(at, (at += n * Kind.BYTES_PER_ELEMENT)); // a copy, so that any kind may begin here
    return Kind === Uint8Array ? bytes : new Kind(bytes.buffer);
  };
  return { take, bytes: (n) => take(n), floats: (n) => take(n, Float32Array), words: (n) => take(n, Uint16Array), integers: (n) => take(n, Int32Array) };
}

function inTurn(take) {
  let last = null;
  let arriving = Promise.resolve();
  return (data) => {
    if (!data || data === last) return;
    last = data;
    arriving = arriving.then(() => take(data)).catch((error) => console.error(error));
  };
}
