// Writes the site into build/: the app, the data, and every page as it first looks with these data.
import fs from 'node:fs';
import path from 'node:path';
import prerender from '../node_modules/@sveltejs/kit/src/core/postbuild/prerender.js';

process.chdir('.evidence/template');
process.env.NODE_ENV = 'production';
const out = path.resolve('.svelte-kit/output');
const { nodes, routes } = JSON.parse(fs.readFileSync(`${out}/metadata.json`, 'utf8'));
await prerender({
	out,
	manifest_path: `${out}/server/manifest-full.js`,
	metadata: { nodes, routes: new Map(routes) },
	verbose: false,
	env: process.env
});

const SITE = '../../build';
for (const part of ['client', 'prerendered/dependencies', 'prerendered/pages'])
	fs.cpSync(`${out}/${part}`, SITE, { recursive: true });
fs.rmSync(`${SITE}/.vite`, { recursive: true });
fs.cpSync('static/data', `${SITE}/data`, { recursive: true });
// settings that a server could change; there is none
fs.writeFileSync(`${SITE}/_app/env.js`, 'export const env={}');
