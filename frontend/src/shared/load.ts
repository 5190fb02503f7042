// Fetches the JSON document of a figure, from this site only.

/** @throws Error where the address is another site's, or the answer is not what was asked for. */
export async function load<T>(address: string, base: string = document.baseURI): Promise<T> {
  const url = new URL(address, base);
  if (url.origin !== location.origin) throw new Error(`${url.origin} is not this site`);
  const answer = await fetch(url, { headers: { Accept: "application/json, application/geo+json" } });
  if (!answer.ok) throw new Error(`${url.pathname} answered ${answer.status}`);
  return (await answer.json()) as T;
}
