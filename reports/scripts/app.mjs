// Builds the app: the code of all pages for the browser and for render.mjs, and no data.
import fs from 'node:fs';

// what Evidence's own command does before it starts Vite: its template, and our files over it
const TEMPLATE = '.evidence/template';
fs.rmSync(TEMPLATE, { recursive: true, force: true });
fs.cpSync('node_modules/@evidence-dev/evidence/template', TEMPLATE, { recursive: true });
for (const [from, to] of [
	['static', 'static'],
	['queries', 'queries'],
	['components', 'src/components'],
	['pages', 'src/pages']
])
	fs.cpSync(from, `${TEMPLATE}/${to}`, { recursive: true });
for (const name of fs.readdirSync('pages', { recursive: true }).filter((name) => name.endsWith('.md'))) {
	const page = `${TEMPLATE}/src/pages/${name}`;
	const folder = page.replace(/(\/index)?\.md$/, '');
	fs.mkdirSync(folder, { recursive: true });
	fs.renameSync(page, `${folder}/+page.md`);
}

// Vite reads the configuration of the folder it starts in
process.chdir(TEMPLATE);
const { build } = await import('vite');
await build();

// the engine for browsers without WebAssembly exceptions (older than 2022): 39 MB
const assets = '.svelte-kit/output/client/_app/immutable/assets';
for (const name of fs.readdirSync(assets).filter((name) => name.startsWith('duckdb-mvp')))
	fs.rmSync(`${assets}/${name}`);
