import { render } from "preact";

import { App } from "./app/App";
import "./styles/tokens.css";
import "./styles/base.css";
import "./styles/shell.css";
import "./styles/signin.css";
import "./styles/events.css";

const root = document.getElementById("app");
if (root !== null) render(<App />, root);
