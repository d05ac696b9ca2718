// What passing on costs at least: node relay.mjs sends each frame to all others at the same address, and looks into none.

import { createServer } from 'node:http';
import { WebSocketServer } from 'ws';

const rooms = new Map();
const server = createServer();
new WebSocketServer({ server }).on('connection', (socket, { url }) => {
	const room = rooms.get(url) ?? new Set();
	rooms.set(url, room.add(socket));
	socket.on('close', () => room.delete(socket));
	socket.on('message', (frame, binary) => {
		for (const other of room) if (other !== socket) other.send(frame, { binary });
	});
});
server.listen(0, '127.0.0.1', () => console.log(`127.0.0.1:${server.address().port}`));
