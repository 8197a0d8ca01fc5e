// Writes what the reference implementation makes of the histograms beside this file.
// npm install hdr-histogram-js && node make.js DIR
const fs = require("fs");
const path = require("path");
const hdr = require("hdr-histogram-js");

const dir = process.argv[2] || __dirname;
for (const name of fs.readdirSync(dir).filter((name) => name.endsWith(".hdr"))) {
  const text = fs.readFileSync(path.join(dir, name), "utf8").trim();
  const histogram = hdr.decodeFromCompressedBase64(text, 64);
  const out = path.join(dir, name.replace(/hdr$/, "hgrm"));
  fs.writeFileSync(out, histogram.outputPercentileDistribution(5, 1000));
}
