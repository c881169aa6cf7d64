export function StreamScreen({ name }: { name: string }) {
  return <h1>{name}</h1>;
}
