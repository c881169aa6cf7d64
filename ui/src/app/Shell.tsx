/** The bar with the screens' names, the theme and who is signed in; the screen below. */
import type { ComponentChildren } from "preact";

import { account } from "../api/http";
import { signOut } from "../api/signin";
import { AlarmBadge } from "../events/AlarmBadge";
import { Icon } from "../shared/Icon";
import { address, place } from "./router";
import { isDark, theme } from "./theme";
import { sayWhy } from "./toasts";

const SCREENS = [
  ["streams", "Streams"],
  ["events", "Events"],
] as const;

export function Shell({ children }: { children: ComponentChildren }) {
  const here = place.value.path[0];
  return (
    <div class="shell">
      <a class="skip" href="#room" onClick={skip}>
        To the content
      </a>
      <header class="bar">
        <a class="brand" href={address(["streams"])}>
          <img src="/ui/icon.svg" alt="" />
          <span>flussdvr</span>
        </a>
        <nav class="tabs grow" aria-label="Screens">
          {SCREENS.map(([path, title]) => (
            <a key={path} href={address([path])} aria-current={here === path ? "page" : undefined}>
              {title}
              {path === "events" && <AlarmBadge />}
            </a>
          ))}
        </nav>
        <button class="quiet icon" aria-label={isDark() ? "Light colours" : "Dark colours"} onClick={turn}>
          <Icon name={isDark() ? "sun" : "moon"} />
        </button>
        <span class="soft small">{account.value?.user}</span>
        <button class="quiet" onClick={() => void signOut().catch(sayWhy)}>
          Sign out
        </button>
      </header>
      <main class="room" id="room" tabIndex={-1}>
        {children}
      </main>
    </div>
  );
}

function turn(): void {
  theme.value = isDark() ? "light" : "dark";
}

/** The address is the router's: the jump is made by hand. */
function skip(event: Event): void {
  event.preventDefault();
  document.getElementById("room")?.focus();
}
