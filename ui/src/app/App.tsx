/** Which screen is shown: the sign-in, or what the address names. */
import { useEffect } from "preact/hooks";
import { signal } from "@preact/signals";

import { account } from "../api/http";
import { resume } from "../api/signin";
import { EventsScreen } from "../events/EventsScreen";
import { SignIn } from "../signin/SignIn";
import { StreamScreen } from "../stream/StreamScreen";
import { StreamsScreen } from "../streams/StreamsScreen";
import { Shell } from "./Shell";
import { Toasts } from "./toasts";
import { place } from "./router";

const asked = signal(false);

export function App() {
  useEffect(() => {
    void resume().finally(() => {
      asked.value = true;
    });
  }, []);
  if (!asked.value) return null;
  return (
    <>
      {account.value === null ? <SignIn /> : <Shell>{screen()}</Shell>}
      <Toasts />
    </>
  );
}

function screen() {
  const [first, name] = place.value.path;
  if (first === "events") return <EventsScreen />;
  if (first === "streams" && name !== undefined) return <StreamScreen key={name} name={name} />;
  return <StreamsScreen />;
}
