// `npm run lock`: package-lock.json anew, for every platform, without addresses.
import { execSync } from "node:child_process";
import { readFileSync, rmSync, writeFileSync } from "node:fs";

for (const old of ["node_modules", "package-lock.json"]) rmSync(old, { recursive: true, force: true });
execSync("npm install --loglevel=error", { stdio: "inherit" }); // .npmrc leaves out where each package came from
const lock = JSON.parse(readFileSync("package-lock.json", "utf8"));
for (const one of Object.values(lock.packages)) delete one.funding;
const text = `${JSON.stringify(lock, null, 2)}\n`;
if (text.includes("://")) throw new Error("package-lock.json holds an address");
writeFileSync("package-lock.json", text);
