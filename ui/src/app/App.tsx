/** Which screen is shown: the sign-in, or what the address names. */
import { useEffect } from "preact/hooks";
import { signal } from "@preact/signals";

import { account, held } from "../api/http";
import { resume } from "../api/signin";
import { EventsScreen } from "../events/EventsScreen";
import { SignIn } from "../signin/SignIn";
import { SignInAgain } from "../signin/SignInAgain";
import { AddStream } from "../stream/settings/AddStream";
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
  const whose = held.value;
  return (
    <>
      {whose === null ? <SignIn /> : <Shell key={whose.user}>{screen()}</Shell>}
      {whose !== null && account.value === null && <SignInAgain user={whose.user} />}
      <Toasts />
    </>
  );
}

function screen() {
  const [first, name] = place.value.path;
  if (first === "events") return <EventsScreen />;
  if (first === "add-stream") return <AddStream />;
  if (first === "streams" && name !== undefined) return <StreamScreen key={name} name={name} />;
  return <StreamsScreen />;
}
