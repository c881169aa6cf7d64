/**
 * Pictures for wherever the pointer is: only the newest wish is loaded, one at a time and no more than six a second.
 *
 *     want(a) want(b) want(c)   ->   load a . . . done, load c
 */
export type Load = (url: string) => Promise<unknown>;

const EVERY_MS = 160;
const KEPT = 100;

export class Previews {
  private readonly known = new Map<string, boolean>();
  private wanted: string | null = null;
  private busy = false;
  private lastStart = -Infinity;
  private timer: ReturnType<typeof setTimeout> | undefined;

  /** `loaded` is called with each picture that is there, and with `null` for what can't be had. */
  constructor(
    private readonly load: Load,
    private readonly loaded: (url: string | null) => void,
  ) {}

  want(url: string | null): void {
    this.wanted = url;
    if (url === null) return;
    const known = this.known.get(url);
    if (known !== undefined) {
      this.wanted = null;
      this.loaded(known ? url : null);
      return;
    }
    this.go();
  }

  stop(): void {
    this.wanted = null;
    clearTimeout(this.timer);
    this.timer = undefined;
  }

  private go(): void {
    if (this.busy || this.wanted === null || this.timer !== undefined) return;
    const wait = this.lastStart + EVERY_MS - performance.now();
    if (wait > 0) {
      this.timer = setTimeout(() => {
        this.timer = undefined;
        this.go();
      }, wait);
      return;
    }
    const url = this.wanted;
    this.wanted = null;
    this.busy = true;
    this.lastStart = performance.now();
    void this.load(url)
      .then(
        () => true,
        () => false,
      )
      .then((good) => {
        this.busy = false;
        this.remember(url, good);
        this.loaded(good ? url : null);
        this.go();
      });
  }

  private remember(url: string, good: boolean): void {
    this.known.set(url, good);
    const oldest = this.known.keys().next();
    if (this.known.size > KEPT && !oldest.done) this.known.delete(oldest.value);
  }
}

/** A film of one picture: where the server makes no JPEGs of a stream, it still cuts its key frames out. */
export const isFilm = (url: string): boolean => /\.mp4($|\?)/.test(url);

/** A picture in the browser's cache, ready to be shown. */
export async function loadPicture(url: string): Promise<void> {
  if (isFilm(url)) return loadFilm(url);
  const image = new Image();
  image.src = url;
  await image.decode();
}

function loadFilm(url: string): Promise<void> {
  return new Promise((done, failed) => {
    const film = document.createElement("video");
    film.muted = true;
    film.preload = "auto";
    film.onloadeddata = () => done();
    film.onerror = () => failed(film.error);
    film.src = url;
  });
}
