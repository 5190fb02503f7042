// Collects the licences of all packages inside the build, and refuses one that is not permissive.
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { dirname, join } from "node:path";
import type { Plugin } from "vite";

const PERMISSIVE = new Set([
  "MIT",
  "ISC",
  "0BSD",
  "BSD-0-Clause",
  "BSD-2-Clause",
  "BSD-3-Clause",
  "Apache-2.0",
  "Unlicense",
]);
const TITLE = "These scripts contain the following packages.\n";

interface Package {
  name: string;
  version: string;
  license?: string;
  author?: string | { name: string };
  dependencies?: Record<string, string>;
  folder: string;
}

/** `prebundled`: packages whose own file already holds their dependencies, which are then named too. */
export function notices({ prebundled }: { prebundled: string[] }): Plugin {
  return {
    name: "third-party-notices",
    generateBundle(_options, bundle) {
      const found = new Map<string, Package>();
      for (const file of Object.values(bundle)) {
        if (file.type !== "chunk") continue;
        for (const id of file.moduleIds) add(found, packageOf(id), prebundled);
      }
      if (!found.size) this.error("no package was found inside the build: its licences cannot be named");
      for (const { name, license } of found.values()) {
        if (!license?.split(/ OR |[()]/).some((word) => PERMISSIVE.has(word)))
          this.error(`${name} has the licence ${license}, which is not among the permissive ones`);
      }
      const parts = [...found.values()].sort((a, b) => (a.name < b.name ? -1 : 1)).map(notice);
      this.emitFile({ type: "asset", fileName: "third-party-notices.txt", source: [TITLE, ...parts].join("\n") });
    },
  };
}

function add(found: Map<string, Package>, one: Package | undefined, prebundled: string[], whole = false): void {
  if (!one || found.has(one.folder)) return;
  found.set(one.folder, one);
  if (!whole && !prebundled.includes(one.name)) return;
  for (const name of Object.keys(one.dependencies ?? {})) {
    if (!name.startsWith("@types/")) add(found, dependency(name, one.folder), prebundled, true);
  }
}

/** The package that a module came from; nothing for our own modules. */
function packageOf(id: string): Package | undefined {
  const path = id.replace(/^\0/, "").split("?")[0] ?? "";
  const match = /^(.*\/node_modules\/(?:@[^/]+\/)?[^/]+)\//.exec(path);
  return match?.[1] ? read(match[1]) : undefined;
}

/** A dependency where Node would find it: beside the package, or in a folder above. */
function dependency(name: string, from: string): Package {
  for (let folder = from; folder !== dirname(folder); folder = dirname(folder)) {
    const candidate = join(folder, "node_modules", name);
    if (existsSync(join(candidate, "package.json"))) return read(candidate);
  }
  throw new Error(`${name} is not installed`);
}

function read(folder: string): Package {
  return { ...JSON.parse(readFileSync(join(folder, "package.json"), "utf8")), folder };
}

function notice({ name, version, license, author, folder }: Package): string {
  const file = readdirSync(folder).find((entry) => /^licen[cs]e/i.test(entry));
  const by = typeof author === "string" ? author : author?.name;
  const text = file ? readFileSync(join(folder, file), "utf8").trim() : `By ${by ?? `the authors of ${name}`}.`;
  return `${"-".repeat(80)}\n${name} ${version} (${license})\n\n${text}\n`;
}
