export function LinksTab({ name }: { name: string }) {
  return <p>{name}: not yet</p>;
}
