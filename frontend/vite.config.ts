// How the scripts are built: four entries, names with content hashes, a manifest, the licences of what is inside.
import { resolve } from "node:path";
import { defineConfig, type Plugin } from "vite";
import { notices } from "./notices.ts";

const ENTRIES = ["site", "workbench", "charts", "map"];

/** htmx can be told not to use eval; here the line itself is gone, so that nobody needs to believe it. */
const withoutEval: Plugin = {
  name: "htmx-without-eval",
  transform(code, id) {
    if (!/\/htmx\.org\/dist\/htmx\.esm\.js$/.test(id)) return undefined;
    if (code.split("return eval(str)").length !== 2) this.error("htmx changed: look where it uses eval now");
    return { code: code.replace("return eval(str)", "throw new Error('no eval')"), map: null };
  },
};

/** MapLibre's worker is taken as it is; a source map that it names and that is not here would stop `collectstatic`. */
const withoutSourceMaps: Plugin = {
  name: "without-source-maps",
  generateBundle(_options, bundle) {
    for (const file of Object.values(bundle)) {
      if (file.type !== "asset" || !file.fileName.endsWith(".js")) continue;
      file.source = String(file.source instanceof Uint8Array ? Buffer.from(file.source) : file.source).replace(
        /\n\/\/# sourceMappingURL=\S+\s*$/,
        "\n",
      );
    }
  },
};

export default defineConfig({
  base: "./", // wherever the hub serves its static files
  publicDir: false,
  plugins: [withoutEval, withoutSourceMaps, notices({ prebundled: ["maplibre-gl"] })],
  build: {
    outDir: process.env.SAFERCITIES_BUILT ?? "../src/safercities/hub/static/hub/built",
    emptyOutDir: true,
    target: "es2022",
    manifest: "manifest.json",
    assetsInlineLimit: 0, // nothing as data: addresses
    modulePreload: { polyfill: false },
    chunkSizeWarningLimit: 1300, // MapLibre and Vega, loaded only where a page has a map or a chart
    rolldownOptions: {
      input: Object.fromEntries(ENTRIES.map((name) => [name, resolve(import.meta.dirname, `src/${name}.ts`)])),
      output: {
        entryFileNames: "[name]-[hash].js",
        chunkFileNames: "[name]-[hash].js",
        // The worker of MapLibre is called .mjs; .js has the right media type on every server.
        assetFileNames: ({ names }) => (names[0]?.endsWith(".mjs") ? "worker-[hash].js" : "[name]-[hash][extname]"),
      },
    },
  },
});
