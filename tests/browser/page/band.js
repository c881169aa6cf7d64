// The timeline's hands and eyes: where a moment is on it, and what is drawn there.

import { check, until } from "./house.js";

export class Band {
  constructor(page) {
    this.page = page;
    this.element = page.locator(".timeline-band");
  }

  async box() {
    return this.element.boundingBox();
  }

  /** The UTC (ms) that the popup says under the pointer, `x` px into the band. */
  async hover(x) {
    const { x: left, y: top, height } = await this.box();
    await this.page.mouse.move(left + x, top + height - 20);
    const text = await this.element.locator(".timeline-popup-time").innerText();
    const moment = /^(\d{4}-\d\d-\d\d) (\d\d:\d\d:\d\d(?:\.\d+)?)/.exec(text);
    check(moment !== null, `the popup says ${text}`);
    return Date.parse(`${moment[1]}T${moment[2]}Z`);
  }

  /** What is on the screen, once it rests: UTC (ms) of the left edge, ms per px, whether it goes on with the present. */
  async view() {
    let before = null;
    return until("the timeline rests", async () => {
      const { width } = await this.box();
      const [a, b] = [60, Math.round(width) - 60];
      const [one, other] = [await this.hover(a), await this.hover(b)];
      const scale = (other - one) / (b - a);
      const follows = (await this.page.locator(".timeline-now").getAttribute("aria-pressed")) === "true";
      const now = { begin: one - a * scale, scale, width, span: width * scale, at: Date.now(), follows };
      const moved = before === null ? Infinity : Math.abs(now.begin - before.begin) + Math.abs(now.span - before.span);
      before = now;
      return moved < (follows ? 1500 : scale < 100 ? 2 : 2500) && now; // the popup says ms where a px is less than 100
    });
  }

  /** Where `ms` is now. */
  static x(view, ms) {
    const slid = view.follows ? Date.now() - view.at : 0;
    return (ms - view.begin - slid) / view.scale;
  }

  async click(x) {
    const { x: left, y: top, height } = await this.box();
    await this.page.mouse.click(left + x, top + height - 20);
  }

  async drag(from, to) {
    const { x: left, y: top, height } = await this.box();
    const y = top + height - 20;
    await this.page.mouse.move(left + from, y);
    await this.page.mouse.down();
    await this.page.mouse.move(left + (from + to) / 2, y, { steps: 4 });
    await this.page.mouse.move(left + to, y, { steps: 4 });
    await this.page.mouse.up();
  }

  async wheel(x, dy) {
    const { x: left, y: top, height } = await this.box();
    await this.page.mouse.move(left + x, top + height - 20);
    await this.page.mouse.wheel(0, dy);
  }

  /** For each px column of the bar: "recorded", "missing", or null; from the pixels of the canvas. */
  async columns() {
    await this.page.mouse.move(2, 2);
    await this.page.waitForTimeout(60);
    return this.element.evaluate((band) => {
      const canvas = band.querySelector("canvas");
      const scale = canvas.width / band.clientWidth;
      const bar = band.querySelector(".timeline-bar").offsetTop;
      const rgb = (role) => {
        const probe = band.appendChild(document.createElement("span"));
        probe.style.color = `var(${role})`;
        const found = getComputedStyle(probe)
          .color.match(/[\d.]+/g)
          .map(Number);
        probe.remove();
        return found;
      };
      const roles = { recorded: rgb("--zone-recorded"), missing: rgb("--zone-missing") };
      const [top, height] = [Math.ceil(bar * scale), Math.floor((band.clientHeight - bar) * scale)];
      const { data, width } = canvas.getContext("2d").getImageData(0, top, canvas.width, height);
      const near = (at, [r, g, b]) => Math.hypot(data[at] - r, data[at + 1] - g, data[at + 2] - b) < 40;
      return Array.from({ length: Math.floor(band.clientWidth) }, (_, x) => {
        const count = { recorded: 0, missing: 0 };
        for (let y = 0; y < height; y++) {
          const at = (y * width + Math.floor((x + 0.5) * scale)) * 4;
          for (const [role, colour] of Object.entries(roles)) if (near(at, colour)) count[role] += 1;
        }
        if (count.recorded > height * 0.7) return "recorded";
        return count.missing > height * 0.1 && count.recorded < height * 0.1 ? "missing" : null;
      });
    });
  }
}
