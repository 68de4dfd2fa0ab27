// Makes the pinned Evidence packages work without a network and show true dates.
// Runs once after every `npm ci`; refuses any version or text it was not written for.
import fs from 'node:fs';

const PATCHES = [
	{
		package: '@evidence-dev/universal-sql',
		version: '3.0.1',
		files: {
			// upstream reads Parquet through an extension that DuckDB downloads: attach one database file instead
			'src/client-duckdb/browser.js': [
				[
					'for (const url of urls[source]) {',
					`for (const url of urls[source]) {
				if (url.endsWith('.duckdb')) {
					const response = await fetch(addBasePath('/' + url.replace(/^\\/?(static\\/)?/, '')));
					if (!response.ok) throw new Error('the data of this site did not load: ' + response.status);
					await db.registerFileBuffer(source + '.duckdb', new Uint8Array(await response.arrayBuffer()));
					await connection.query(\`ATTACH '\${source}.duckdb' AS "\${source}_file" (READ_ONLY)\`);
					const tables = await connection.query(
						\`SELECT table_name FROM duckdb_tables() WHERE database_name = '\${source}_file'\`
					);
					for (const { table_name } of tables.toArray())
						await connection.query(
							\`CREATE OR REPLACE VIEW "\${source}"."\${table_name}" AS FROM "\${source}_file"."\${table_name}"\`
						);
					continue;
				}`
				],
				[
					"await connection.query('SET old_implicit_casting = true;');",
					`await connection.query('SET old_implicit_casting = true;');
		await connection.query('SET autoinstall_known_extensions = false;');
		await connection.query('SET autoload_known_extensions = false;');`
				]
			],
			'src/client-duckdb/node.js': [
				["import path, { dirname, resolve } from 'path';", "import fs from 'fs';\nimport path, { dirname, resolve } from 'path';"],
				[
					'for (const url of urls[source]) {',
					`for (const url of urls[source]) {
			if (url.endsWith('.duckdb')) {
				db.registerFileBuffer(source + '.duckdb', new Uint8Array(fs.readFileSync(url)));
				connection.query(\`ATTACH '\${source}.duckdb' AS "\${source}_file" (READ_ONLY)\`);
				const tables = connection.query(
					\`SELECT table_name FROM duckdb_tables() WHERE database_name = '\${source}_file'\`
				);
				for (const { table_name } of tables.toArray())
					connection.query(
						\`CREATE OR REPLACE VIEW "\${source}"."\${table_name}" AS FROM "\${source}_file"."\${table_name}"\`
					);
				continue;
			}`
				],
				[
					"await connection.query('SET old_implicit_casting = true;');",
					`await connection.query('SET old_implicit_casting = true;');
		await connection.query('SET autoinstall_known_extensions = false;');
		await connection.query('SET autoload_known_extensions = false;');`
				]
			],
			// a date set on an Arrow row becomes a number again, and a null date became 1970-01-01
			'src/client-duckdb/both.js': [
				['const arr = table.toArray();', 'const arr = table.toArray().map((row) => row.toJSON());'],
				[
					`	for (const row of arr) {
		for (const col of date_cols) {
			row[col.name] = new Date(row[col.name]);
		}
		for (const col of list_cols) {
			row[col.name] = arrowVectorToJSON(row[col.name]);
		}
	}

	return arr;
}

/**
 * Converts an Apache Arrow vector`,
					`	for (const row of arr) {
		for (const col of date_cols) {
			row[col.name] = row[col.name] == null ? null : new Date(row[col.name]);
		}
		for (const col of list_cols) {
			row[col.name] = arrowVectorToJSON(row[col.name]);
		}
	}

	return arr;
}

/**
 * Converts an Apache Arrow vector`
				]
			]
		}
	},
	{
		package: '@evidence-dev/evidence',
		version: '40.1.8',
		files: {
			// a customer without a team has no page of one, which is no error
			'template/src/pages/+layout.js': [
				[
					"export const prerender = import.meta.env.VITE_EVIDENCE_SPA !== 'true';",
					"export const prerender = 'auto';"
				]
			]
		}
	},
	{
		package: '@sveltejs/kit',
		version: '2.8.4',
		files: {
			// the pages are written by render.mjs, as often as there are new data
			'src/exports/vite/index.js': [
				[
					'// ...and prerender',
					`fs.writeFileSync(
					\`\${out}/metadata.json\`,
					JSON.stringify({ ...metadata, routes: [...metadata.routes] })
				);
				return;`
				]
			]
		}
	},
	{
		package: '@evidence-dev/sdk',
		version: '4.0.2',
		files: {
			// where a host serves the site is told with each build, and no part of the project
			'src/configuration/getEvidenceConfig.js': [
				[
					"const result = yaml.parse(configFileContent.replaceAll(/($|\\s)(@.+):/g, '$1\"$2\":'));",
					`const result = yaml.parse(configFileContent.replaceAll(/($|\\s)(@.+):/g, '$1"$2":'));
		result.deployment = { basePath: process.env.MINDWEAVE_BASE_PATH ?? '' };`
				]
			]
		}
	},
	{
		package: '@evidence-dev/preprocess',
		version: '6.0.7',
		files: {
			// the viewer of a query's text, which no page shows, needs most of the components below
			'dist/index.mjs': [
				[
					`        return \`
        {#if \${queryId} }
            <QueryViewer
                queryID = "\${queryId ?? 'untitled'}"
                queryResult = {\${queryId ?? 'untitled'}}
            /> 
        {/if}
        \`;`,
					"        return '';"
				]
			]
		}
	},
	{
		package: '@evidence-dev/core-components',
		version: '5.4.2',
		files: {
			// the site draws its own: all other components are two thirds of a build and 2 MB for a reader
			'dist/index.js': [
				["export * from './atoms/index.js';", "export * from './atoms/accordion';\nexport { default as CopyButton } from './atoms/copy-button/CopyButton.svelte';"],
				["export * from './molecules/index.js';", ''],
				["export * from './organisms/index.js';", "export { default as EvidenceDefaultLayout } from './organisms/layout/EvidenceDefaultLayout.svelte';"],
				["export * from './unsorted/index.js';", '']
			],
			'dist/devtools/DevTools.svelte': [
				["	import DevTools from './_DevTools.svelte';\n", ''],
				['	<DevTools>\n		<slot />\n	</DevTools>', '	<slot />']
			],
			'dist/organisms/layout/header/Header.svelte': [
				["	import AlgoliaDocSearch from './AlgoliaDocSearch.svelte';\n", ''],
				['				<AlgoliaDocSearch {algolia} />\n', '']
			]
		}
	}
];

function fail(message) {
	console.error(`patch: ${message}`);
	process.exit(1);
}

// Evidence's own console and settings pages: no part of a published site, and slow to build
const REMOVED_PAGES = ['explore', 'settings'].map(
	(name) =>
		new URL(`../node_modules/@evidence-dev/evidence/template/src/pages/${name}/`, import.meta.url)
);

const changed = new Map();
for (const patch of PATCHES) {
	const folder = new URL(`../node_modules/${patch.package}/`, import.meta.url);
	const { version } = JSON.parse(fs.readFileSync(new URL('package.json', folder), 'utf8'));
	if (version !== patch.version)
		fail(`${patch.package} is ${version}, this patch was written for ${patch.version}`);
	for (const [name, edits] of Object.entries(patch.files)) {
		const file = new URL(name, folder);
		let text = fs.readFileSync(file, 'utf8');
		for (const [anchor, replacement] of edits) {
			const found = text.split(anchor).length - 1;
			if (found !== 1) fail(`${patch.package}/${name} holds ${JSON.stringify(anchor)} ${found} times, not once`);
			text = text.replace(anchor, () => replacement);
		}
		changed.set(file, text);
	}
}
for (const folder of REMOVED_PAGES)
	if (!fs.existsSync(folder)) fail(`${folder.pathname} is not there`);

for (const [file, text] of changed) fs.writeFileSync(file, text);
for (const folder of REMOVED_PAGES) fs.rmSync(folder, { recursive: true });
