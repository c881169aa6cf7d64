import { render } from "preact";

import { EmbedPage } from "./embed/EmbedPage";
import "./styles/tokens.css";
import "./styles/base.css";
import "./styles/timeline.css";
import "./styles/sound.css";
import "./styles/embed.css";

const root = document.getElementById("player");
if (root !== null) render(<EmbedPage />, root);
