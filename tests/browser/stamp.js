// The clock that is burnt into test pictures, read from the RGBA of their first 32 rows: see flussdvr/formats/stamp.py.

const CELLS = 32;
const ROW = 16;
const MARK = 0xa55a;
const THRESHOLD = 125;

/** The 32 bits of the row of cells that begins at `top`, as a number. */
function word(rgba, width, top) {
  const cell = Math.floor(width / CELLS);
  let bits = 0;
  for (let index = 0; index < CELLS; index++) {
    const x = index * cell + Math.floor(cell / 2);
    let sum = 0;
    for (let y = top + 4; y < top + ROW - 4; y++) sum += rgba[(y * width + x) * 4 + 1];
    bits = bits * 2 + (sum / (ROW - 8) > THRESHOLD ? 1 : 0);
  }
  return bits;
}

/** `[second, frame]`, or null if the picture bears no stamp. */
export function readStamp(rgba, width) {
  const second = word(rgba, width, 0);
  const low = word(rgba, width, ROW);
  const frame = Math.floor(low / 2 ** 24);
  let sum = frame;
  for (let shift = 0; shift < 32; shift += 8) sum += Math.floor(second / 2 ** shift) % 256;
  const sound = low % 2 ** 16 === MARK && Math.floor(low / 2 ** 16) % 256 === sum % 256;
  return sound ? [second, frame] : null;
}
