#!/usr/bin/env node
"use strict";

// CommonJS, which starts faster: agents call this from shells, again and again.
require("../dist/bundle/main.cjs").main(process.argv.slice(2));
