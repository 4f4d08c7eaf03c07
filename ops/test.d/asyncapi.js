#!/usr/bin/env node
// ops/test.d/asyncapi.js: whether standard input is an AsyncAPI document, by AsyncAPI's own parser, Avro payloads included. A warning is
// trouble too, but that 3.0 is not the newest version: it is the one that is meant. Takes NODE_PATH, where the parser is.
'use strict';
const { readFileSync } = require('fs');
const { Parser } = require('@asyncapi/parser');
const { AvroSchemaParser } = require('@asyncapi/avro-schema-parser');

async function main() {
  const parser = new Parser({ schemaParsers: [AvroSchemaParser()] });
  const { document, diagnostics } = await parser.parse(readFileSync(0, 'utf8'));
  const trouble = diagnostics.filter(it => it.code !== 'asyncapi-latest-version');
  trouble.forEach(it => console.log(`${it.code} at ${it.path.join('.')}: ${it.message}`));
  if (!document || trouble.length > 0) process.exit(1);
  const channels = document.channels().all();
  if (channels.length === 0) throw new Error('no channel');
  console.log(`${channels.length} channels, ${document.operations().all().length} operations, AsyncAPI ${document.version()}`);
}

main().catch(error => { console.error(String(error)); process.exit(1); });
