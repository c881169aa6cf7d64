import { render } from "preact";

import { App } from "./app/App";
import "./styles/tokens.css";
import "./styles/base.css";
import "./styles/shell.css";
import "./styles/timeline.css";
import "./styles/sound.css";
import "./styles/signin.css";
import "./styles/events.css";
import "./styles/streams.css";
import "./styles/stream.css";
import "./styles/settings.css";
import "./styles/player.css";
import "./styles/dvr.css";

const root = document.getElementById("app");
if (root !== null) render(<App />, root);
