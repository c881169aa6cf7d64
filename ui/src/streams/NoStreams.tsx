/** What a server without streams says: how to get the first. */
import { mayEdit } from "../api/http";
import { rtmpAddress, useListeners } from "../api/server";
import { address } from "../app/router";
import { Icon } from "../common/Icon";

export function NoStreams() {
  const listeners = useListeners();
  const rtmp = listeners === null ? null : rtmpAddress(listeners, location.hostname, "NAME");
  return (
    <section class="empty card">
      <h2>There are no streams yet</h2>
      <p>
        A stream takes its media from inputs, such as a multicast group or another server, or is published to by an
        encoder. It can be added here or in the configuration file:
      </p>
      <pre class="mono">{`stream ort {\n  input udp://239.0.0.1:1234;\n  dvr /storage 7d;\n}`}</pre>
      {mayEdit.value ? (
        <p>
          <a class="button primary" href={address(["add-stream"])}>
            <Icon name="plus" /> Add a stream
          </a>
        </p>
      ) : (
        <p class="soft">Your account may only look; an administrator can add one.</p>
      )}
      <p class="soft small">
        To publish, add a stream whose input is <code>publish://</code>, then send to it:
      </p>
      <pre class="mono">
        {rtmp === null
          ? `ffmpeg -re -i FILE -c copy -f mpegts -method PUT ${location.origin}/NAME/mpegts`
          : `ffmpeg -re -i FILE -c copy -f flv ${rtmp}`}
      </pre>
    </section>
  );
}
