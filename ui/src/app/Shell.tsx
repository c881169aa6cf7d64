/** The bar with the screens' names, the theme and who is signed in; the screen below. */
import type { ComponentChildren } from "preact";
import { useEffect, useLayoutEffect, useRef } from "preact/hooks";

import { held } from "../api/http";
import { signOut } from "../api/signin";
import { AlarmBadge } from "../events/AlarmBadge";
import { Icon } from "../common/Icon";
import { address, leaving, place } from "./router";
import { isDark, theme } from "./theme";
import { sayWhy } from "./toasts";

const SCREENS = [
  ["streams", "Streams"],
  ["events", "Events"],
] as const;

export function Shell({ children }: { children: ComponentChildren }) {
  const [here = "", name = ""] = place.value.path;
  const room = useScreens(`${here} ${name}`);
  return (
    <div class="shell">
      <a class="skip" href="#room" onClick={skip}>
        To the content
      </a>
      <header class="bar">
        <a class="brand" href={address(["streams"])} aria-label="flussdvr">
          <img src="/ui/icon.svg" alt="" />
          <span>flussdvr</span>
        </a>
        <nav class="tabs grow" aria-label="Screens">
          {SCREENS.map(([path, title]) => (
            <a
              key={path}
              href={address([path])}
              aria-current={here === path && name === "" ? "page" : here === path ? "true" : undefined}
            >
              {title}
              {path === "events" && <AlarmBadge />}
            </a>
          ))}
        </nav>
        <button class="quiet icon" aria-label={isDark() ? "Light colours" : "Dark colours"} onClick={turn}>
          <Icon name={isDark() ? "sun" : "moon"} />
        </button>
        <span class="soft small bar-user" title={held.value?.edit ? undefined : "may only look"}>
          <bdi>{held.value?.user}</bdi>
        </span>
        <button class="quiet" onClick={() => leaving(() => void signOut().catch(sayWhy))}>
          Sign out
        </button>
      </header>
      <main class="room" id="room" ref={room} tabIndex={-1}>
        {children}
      </main>
    </div>
  );
}

/**
 * Another screen begins where a keyboard and a screen reader expect it, at its top; one that was left is where it was.
 */
function useScreens(screen: string) {
  const room = useRef<HTMLElement>(null);
  const left = useRef(new Map<string, number>());
  const shown = useRef(screen);
  useEffect(() => {
    history.scrollRestoration = "manual";
    const keep = () => void left.current.set(shown.current, scrollY);
    addEventListener("scroll", keep, { passive: true });
    return () => removeEventListener("scroll", keep);
  }, []);
  // before the next scroll event, which tells of the new screen already
  useLayoutEffect(() => {
    if (shown.current === screen) return;
    shown.current = screen;
    room.current?.focus({ preventScroll: true });
    scrollTo(0, left.current.get(screen) ?? 0);
  }, [screen]);
  return room;
}

function turn(): void {
  theme.value = isDark() ? "light" : "dark";
}

/** The address is the router's: the jump is made by hand. */
function skip(event: Event): void {
  event.preventDefault();
  document.getElementById("room")?.focus();
}
