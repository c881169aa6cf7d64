// @vitest-environment happy-dom
import { describe, expect, it } from "vitest";

import { actionOf, ownsKey, type Pressed } from "./keys";

const press = (key: string, more: Partial<Pressed> = {}) =>
  actionOf({ key, shiftKey: false, ctrlKey: false, altKey: false, metaKey: false, ...more });

describe("keys", () => {
  it("do what the help says", () => {
    expect(press(" ")).toEqual({ do: "toggle" });
    expect(press("ArrowLeft")).toEqual({ do: "move", ms: -5_000 });
    expect(press("ArrowRight", { shiftKey: true })).toEqual({ do: "move", ms: 60_000 });
    expect(press(",")).toEqual({ do: "step", frames: -1 });
    expect(press("6")).toEqual({ do: "rate", rate: 16 });
    expect(press("?", { shiftKey: true })).toEqual({ do: "help" });
    expect(press("K", { shiftKey: true })).toEqual({ do: "toggle" });
  });

  it("are left to the browser with Ctrl, Alt and Meta, and where they mean nothing", () => {
    for (const held of ["ctrlKey", "altKey", "metaKey"]) expect(press("f", { [held]: true })).toBeNull();
    for (const key of ["7", "0", "x", "Tab", "toString"]) expect(press(key)).toBeNull();
  });

  it("belong to fields, dialogues, and a slider's arrows to the slider", () => {
    document.body.innerHTML =
      '<input id="text"><input id="box" type="checkbox"><dialog open><p id="in"></p></dialog>' +
      '<div role="slider" id="slider"></div><button id="button"></button>';
    const owns = (id: string, key: string) => ownsKey(document.getElementById(id), key);
    expect(owns("text", "k")).toBe(true);
    expect(owns("box", "k")).toBe(false);
    expect(owns("in", "k")).toBe(true);
    expect(owns("slider", "ArrowLeft")).toBe(true);
    expect(owns("slider", "k")).toBe(false);
    expect(owns("button", " ")).toBe(true);
    expect(owns("button", "ArrowLeft")).toBe(false);
  });
});
