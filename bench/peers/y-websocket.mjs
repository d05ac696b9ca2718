// The server that comes with y-websocket, which keeps documents in memory only: node y-websocket.mjs

import { createServer } from 'node:http';
import { createRequire } from 'node:module';
import { WebSocketServer } from 'ws';

const { setupWSConnection } = createRequire(import.meta.url)('y-websocket/bin/utils');
const server = createServer();
new WebSocketServer({ server }).on('connection', (socket, request) => setupWSConnection(socket, request));
server.listen(0, '127.0.0.1', () => console.log(`127.0.0.1:${server.address().port}`));
