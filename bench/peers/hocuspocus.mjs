// Hocuspocus: node hocuspocus.mjs DIRECTORY [REDIS-PORT]. Documents are kept as files of the directory, at its own pace.

import { readFile, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { Database } from '@hocuspocus/extension-database';
import { Redis } from '@hocuspocus/extension-redis';
import { Server } from '@hocuspocus/server';

const [directory, redis] = process.argv.slice(2);
const file = (name) => path.join(directory, encodeURIComponent(name));
const extensions = [
	new Database({
		fetch: ({ documentName }) => readFile(file(documentName)).catch(() => null),
		store: ({ documentName, state }) => writeFile(file(documentName), state),
	}),
];
if (redis) extensions.push(new Redis({ host: '127.0.0.1', port: Number(redis) }));
const server = new Server({ address: '127.0.0.1', port: 0, quiet: true, stopOnSignals: false, extensions });
await server.listen();
console.log(`127.0.0.1:${server.address.port}`);
