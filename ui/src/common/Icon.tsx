/** Drawn signs, 24 by 24, in the colour of the text. Decoration: what they mean is said by the button's label. */
const PATHS = {
  play: "M7 4.5v15l12-7.5z",
  pause: "M6 4.5h4v15H6zM14 4.5h4v15h-4z",
  live: "M12 9a3 3 0 1 1 0 6 3 3 0 0 1 0-6M6.3 6.3a8 8 0 0 0 0 11.4l1.4-1.4a6 6 0 0 1 0-8.6zM17.7 6.3l-1.4 1.4a6 6 0 0 1 0 8.6l1.4 1.4a8 8 0 0 0 0-11.4",
  next: "M5 4.5v15l10-7.5zM16 4.5h3v15h-3z",
  back: "M19 4.5v15L9 12zM5 4.5h3v15H5z",
  plus: "M11 4h2v7h7v2h-7v7h-2v-7H4v-2h7z",
  minus: "M4 11h16v2H4z",
  left: "M15.4 4.6 8 12l7.4 7.4-1.4 1.4L5.2 12 14 3.2z",
  right: "M8.6 4.6 16 12l-7.4 7.4 1.4 1.4 8.8-8.8L10 3.2z",
  lock: "M7 10V8a5 5 0 0 1 10 0v2h1a1 1 0 0 1 1 1v9a1 1 0 0 1-1 1H6a1 1 0 0 1-1-1v-9a1 1 0 0 1 1-1zm2 0h6V8a3 3 0 0 0-6 0z",
  unlock:
    "M7 10V8a5 5 0 0 1 9.7-1.7l-1.9.7A3 3 0 0 0 9 8v2h9a1 1 0 0 1 1 1v9a1 1 0 0 1-1 1H6a1 1 0 0 1-1-1v-9a1 1 0 0 1 1-1z",
  download: "M11 3h2v9l3.5-3.5 1.4 1.4L12 15.8 6.1 9.9l1.4-1.4L11 12zM4 18h16v2H4z",
  link: "M10.6 13.4a3.5 3.5 0 0 0 5 0l3.3-3.3a3.5 3.5 0 0 0-5-5l-1 1 1.4 1.4 1-1a1.5 1.5 0 0 1 2.2 2.2L14.2 12a1.5 1.5 0 0 1-2.2 0zM13.4 10.6a3.5 3.5 0 0 0-5 0L5.1 13.9a3.5 3.5 0 0 0 5 5l1-1-1.4-1.4-1 1a1.5 1.5 0 0 1-2.2-2.2L9.8 12a1.5 1.5 0 0 1 2.2 0z",
  close: "m6.4 5 5.6 5.6L17.6 5 19 6.4 13.4 12l5.6 5.6-1.4 1.4-5.6-5.6L6.4 19 5 17.6l5.6-5.6L5 6.4z",
  search:
    "M10.5 4a6.5 6.5 0 0 1 5.1 10.5l4.7 4.7-1.4 1.4-4.7-4.7A6.5 6.5 0 1 1 10.5 4m0 2a4.5 4.5 0 1 0 0 9 4.5 4.5 0 0 0 0-9",
  sun: "M12 8a4 4 0 1 1 0 8 4 4 0 0 1 0-8M11 2h2v4h-2zM11 18h2v4h-2zM2 11h4v2H2zM18 11h4v2h-4z",
  moon: "M20 14.5A8.5 8.5 0 0 1 9.5 4 8.5 8.5 0 1 0 20 14.5",
  full: "M4 4h6v2H6v4H4zM14 4h6v6h-2V6h-4zM4 14h2v4h4v2H4zM18 14h2v6h-6v-2h4z",
  sound: "M4 9h4l5-4v14l-5-4H4zM16 8.5a5 5 0 0 1 0 7z",
  mute: "M4 9h4l5-4v14l-5-4H4zM15.5 9.9l1.4-1.4 5.6 5.6-1.4 1.4z",
  more: "M5 10.5h3v3H5zM10.5 10.5h3v3h-3zM16 10.5h3v3h-3z",
  warning: "M12 3 1.5 21h21zm-1 7h2v5h-2zm0 6.5h2v2h-2z",
  critical: "M8 2.5h8L21.5 8v8L16 21.5H8L2.5 16V8zm3 4.5h2v7h-2zm0 8.5h2v2h-2z",
  good: "M12 2.5a9.5 9.5 0 1 1 0 19 9.5 9.5 0 0 1 0-19m4.8 5.8-6.3 6.3-3.3-3.3-1.4 1.4 4.7 4.7 7.7-7.7z",
} as const;

export type IconName = keyof typeof PATHS;

export function Icon({ name }: { name: IconName }) {
  return (
    <svg viewBox="0 0 24 24" fill="currentColor" aria-hidden="true">
      <path d={PATHS[name]} fill-rule="evenodd" />
    </svg>
  );
}
