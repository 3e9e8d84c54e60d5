// node embed.mjs OUT.cpp WEB_DIR FILE…: writes a C++ file with everything that the gateway serves as a file.
// WEB_DIR is what the web app's build made: its files are kept compressed, since browsers take them so; each FILE (of the
// API's documentation) stays as it is. A file without a known kind stops the build.
import { createHash } from "node:crypto";
import { readFileSync, readdirSync, statSync, writeFileSync } from "node:fs";
import { basename, join, relative } from "node:path";
import { constants, gzipSync } from "node:zlib";

const kinds = {
  html: "text/html; charset=utf-8",
  js: "text/javascript; charset=utf-8",
  css: "text/css; charset=utf-8",
  svg: "image/svg+xml",
  json: "application/json",
  yaml: "application/yaml; charset=utf-8",
};

const [out, web, ...files] = process.argv.slice(2);
const below = (folder) =>
  readdirSync(folder).flatMap((name) => {
    const path = join(folder, name);
    return statSync(path).isDirectory() ? below(path) : [path];
  });

const all = [
  ...below(web).map((file) => ({ file, path: "/" + relative(web, file), compressed: true })),
  ...files.map((file) => ({ file, path: "/" + basename(file).replace(/\.html$/, ""), compressed: false })),
].sort((a, b) => (a.path < b.path ? -1 : 1));

/** Bytes as adjacent C++ string literals; octal escapes end after three digits, whatever follows. */
function literal(bytes) {
  const lines = [];
  for (let at = 0; at < bytes.length; at += 1024) {
    let line = "";
    for (const byte of bytes.subarray(at, at + 1024)) {
      const plain = byte >= 32 && byte < 127 && byte !== 34 && byte !== 92 && byte !== 63; // no quotes, \ or trigraphs
      line += plain ? String.fromCharCode(byte) : "\\" + byte.toString(8).padStart(3, "0");
    }
    lines.push(`"${line}"`);
  }
  return lines.join("\n  ") || '""';
}

let body = "";
let rows = "";
all.forEach(({ file, path, compressed }, number) => {
  const kind = kinds[file.split(".").pop()];
  if (!kind) throw new Error(`no content type for ${file}`);
  const plain = readFileSync(file);
  const sum = createHash("sha256").update(plain).digest("hex").slice(0, 16);
  // The header of gzip says when it was made unless told otherwise: zlib of node writes 0, so builds stay equal.
  const text = compressed ? gzipSync(plain, { level: constants.Z_BEST_COMPRESSION }) : plain;
  const immutable = path.startsWith("/assets/");
  body += `constexpr char f${number}[] =\n  ${literal(text)};\n`;
  rows += `  {"${path}", "${kind}", "\\"${sum}\\"", {f${number}, sizeof f${number} - 1}, ${compressed}, ${immutable}},\n`;
});
writeFileSync(
  out,
  `// Made by gateway/embed.mjs.\n#include "gateway/assets.hpp"\n\nnamespace keyportal::gateway {\nnamespace {\n${body}` +
    `const asset all[] = {\n${rows}};\n} // namespace\n\nstd::span<const asset> assets() { return all; }\n} // namespace keyportal::gateway\n`,
);
