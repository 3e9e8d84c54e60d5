// Makes small PNG files of a browser's: at most 256 colours, those that are seen most.
import { crc32 as crcOf, deflateSync, inflateSync } from 'node:zlib';

const table = Array.from({ length: 256 }, (_, n) => { let c = n; for (let k = 0; k < 8; k += 1) c = c & 1 ? 0xedb88320 ^ (c >>> 1) : c >>> 1; return c >>> 0; });
// Node 18 has none of its own.
const crc32 = crcOf ?? ((bytes) => { let c = 0xffffffff; for (const byte of bytes) c = table[(c ^ byte) & 255] ^ (c >>> 8); return (c ^ 0xffffffff) >>> 0; });

/// Width, height and the colours of all pixels, 0xRRGGBB, of a PNG with 8 bits a channel and no interlacing, as browsers make them.
function decode(png) {
  let at = 8;
  let head;
  const parts = [];
  while (at < png.length) {
    const length = png.readUInt32BE(at);
    const kind = png.toString('latin1', at + 4, at + 8);
    const data = png.subarray(at + 8, at + 8 + length);
    if (kind === 'IHDR') head = { width: data.readUInt32BE(0), height: data.readUInt32BE(4), bytes: data[9] === 6 ? 4 : 3 };
    if (kind === 'IDAT') parts.push(data);
    at += length + 12;
  }
  const { width, height, bytes } = head;
  const raw = inflateSync(Buffer.concat(parts));
  const line = width * bytes;
  const pixels = new Uint32Array(width * height);
  let before = new Uint8Array(line);
  for (let y = 0; y < height; y += 1) {
    const filter = raw[y * (line + 1)];
    const now = Uint8Array.from(raw.subarray(y * (line + 1) + 1, (y + 1) * (line + 1)));
    for (let x = 0; x < line; x += 1) {
      const left = x >= bytes ? now[x - bytes] : 0;
      const up = before[x];
      const corner = x >= bytes ? before[x - bytes] : 0;
      if (filter === 1) now[x] += left;
      else if (filter === 2) now[x] += up;
      else if (filter === 3) now[x] += (left + up) >> 1;
      else if (filter === 4) {
        const p = left + up - corner;
        const [a, b, c] = [Math.abs(p - left), Math.abs(p - up), Math.abs(p - corner)];
        now[x] += a <= b && a <= c ? left : b <= c ? up : corner;
      }
    }
    for (let x = 0; x < width; x += 1) pixels[y * width + x] = (now[x * bytes] << 16) | (now[x * bytes + 1] << 8) | now[x * bytes + 2];
    before = now;
  }
  return { width, height, pixels };
}

/// The colours that stand for all others, and which of them each is.
function choose(pixels) {
  const exact = new Map();
  for (const one of pixels) exact.set(one, (exact.get(one) ?? 0) + 1);
  const chosen = [];
  const near = (a, b, far) => Math.abs((a >> 16) - (b >> 16)) < far && Math.abs(((a >> 8) & 255) - ((b >> 8) & 255)) < far && Math.abs((a & 255) - (b & 255)) < far;
  for (const [one] of [...exact].sort((a, b) => b[1] - a[1])) {
    if (chosen.length === 256) break;
    // Surfaces keep their very colour; of the many between two, for the edges of letters, some are enough.
    if (!chosen.some((other) => near(one, other, chosen.length < 48 ? 3 : 9))) chosen.push(one);
  }
  const known = new Map();
  const indexOf = (one) => {
    let best = known.get(one);
    if (best !== undefined) return best;
    let least = Infinity;
    chosen.forEach((other, at) => {
      const [r, g, b] = [(one >> 16) - (other >> 16), ((one >> 8) & 255) - ((other >> 8) & 255), (one & 255) - (other & 255)];
      const far = 3 * r * r + 6 * g * g + b * b;
      if (far < least) { least = far; best = at; }
    });
    known.set(one, best);
    return best;
  };
  return { chosen, indexOf };
}

function chunk(kind, data) {
  const body = Buffer.concat([Buffer.from(kind, 'latin1'), data]);
  const out = Buffer.alloc(body.length + 8);
  out.writeUInt32BE(data.length, 0);
  body.copy(out, 4);
  out.writeUInt32BE(crc32(body), body.length + 4);
  return out;
}

/// The same picture in at most 256 colours.
export function small(png) {
  const { width, height, pixels } = decode(png);
  const { chosen, indexOf } = choose(pixels);
  const head = Buffer.alloc(13);
  head.writeUInt32BE(width, 0);
  head.writeUInt32BE(height, 4);
  head.set([8, 3, 0, 0, 0], 8);
  const palette = Buffer.from(chosen.flatMap((one) => [one >> 16, (one >> 8) & 255, one & 255]));
  const raw = Buffer.alloc((width + 1) * height);
  for (let y = 0; y < height; y += 1)
    for (let x = 0; x < width; x += 1) raw[y * (width + 1) + 1 + x] = indexOf(pixels[y * width + x]);
  return Buffer.concat([png.subarray(0, 8), chunk('IHDR', head), chunk('PLTE', palette), chunk('IDAT', deflateSync(raw, { level: 9 })), chunk('IEND', Buffer.alloc(0))]);
}
