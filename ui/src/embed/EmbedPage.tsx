export function EmbedPage() {
  return <p>not yet</p>;
}
