/** One stream: what it does now, its recordings, its settings, who watches, and what is shared of it. */
import { mayEdit } from "../api/http";
import { address, place } from "../app/router";
import { DvrTab } from "../dvr/DvrTab";
import { LinksTab } from "../dvr/LinksTab";
import { Icon } from "../common/Icon";
import { Name } from "../common/Name";
import { useTitle } from "../common/title";
import { Trouble } from "../common/Trouble";
import { SettingsTab } from "./settings/SettingsTab";
import { StreamHeader } from "./StreamHeader";
import { ViewersTab } from "./ViewersTab";
import { useStream, type Watched } from "./watch";

const TABS = [
  ["dvr", "DVR"],
  ["settings", "Settings"],
  ["viewers", "Viewers"],
  ["sharing", "Sharing"],
] as const;
type Tab = (typeof TABS)[number][0];

export function StreamScreen({ name }: { name: string }) {
  useTitle(name);
  const watched = useStream(name);
  const trouble = watched.trouble.value;
  if (trouble?.error.status === 404) return <Unknown name={name} />;
  const here = place.value.path[2] ?? "dvr";
  const tab: Tab = TABS.find(([path]) => path === here)?.[0] ?? "dvr";
  return (
    <>
      {trouble !== null && <Trouble since={trouble.since} title={trouble.error.message} />}
      <StreamHeader name={name} stream={watched.stream} />
      <nav class="tabs stream-tabs" aria-label="Of this stream">
        {TABS.map(([path, title]) => (
          <a
            key={path}
            href={address(path === "dvr" ? ["streams", name] : ["streams", name, path])}
            aria-current={tab === path ? "page" : undefined}
          >
            {title}
          </a>
        ))}
      </nav>
      {shown(tab, name, watched)}
    </>
  );
}

function shown(tab: Tab, name: string, { stream }: Watched) {
  switch (tab) {
    case "dvr":
      return <DvrTab name={name} stream={stream} />;
    case "settings":
      return <SettingsTab name={name} />;
    case "viewers":
      return <ViewersTab name={name} />;
    case "sharing":
      return <LinksTab name={name} />;
  }
}

function Unknown({ name }: { name: string }) {
  return (
    <section class="empty card">
      <h1>There is no such stream</h1>
      <p class="anywhere">
        <b>
          <Name of={name} />
        </b>{" "}
        is not configured, does not run and has no recordings. It may have been removed, or have another name.
      </p>
      <p class="row">
        <a class="button" href={address(["streams"])}>
          All streams
        </a>
        {mayEdit.value && (
          <a class="button" href={address(["add-stream"], { name })}>
            <Icon name="plus" /> Add it
          </a>
        )}
      </p>
    </section>
  );
}
