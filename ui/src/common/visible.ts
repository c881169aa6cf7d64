/** Marks that nobody sees but that turn or hide what is read: `\u202E` makes "live" of "evil". */
const UNSEEN = /[\u0000-\u001f\u007f-\u009f\u00ad\u061c\u200b\u200e\u200f\u2028-\u202e\u2060-\u2069\ufeff]/g;

/** The text with such marks spelled out, as "[U+202E]". */
export function visible(text: string): string {
  return text.replace(UNSEEN, (mark) => `[U+${mark.charCodeAt(0).toString(16).toUpperCase().padStart(4, "0")}]`);
}
