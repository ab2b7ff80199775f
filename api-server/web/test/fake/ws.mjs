// The few frames of RFC 6455 that a test needs: text out, text and close in, on a socket taken over from node:http.

import { createHash } from 'node:crypto';

const GUID = '258EAFA5-E914-47DA-95CA-C5AB0DC85B11';

export function accept(req, socket, protocol) {
    const key = createHash('sha1').update(req.headers['sec-websocket-key'] + GUID).digest('base64');
    socket.write(`HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: ${key}\r\nSec-WebSocket-Protocol: ${protocol}\r\n\r\n`);
    return new WsConnection(socket);
}

function frame(opcode, payload) {
    const n = payload.length;
    const head = n < 126 ? Buffer.from([0x80 | opcode, n]) : n < 65536 ? Buffer.from([0x80 | opcode, 126, n >> 8, n & 255]) : Buffer.alloc(10);
    if (n >= 65536) {
        head[0] = 0x80 | opcode;
        head[1] = 127;
        head.writeBigUInt64BE(BigInt(n), 2);
    }
    return Buffer.concat([head, payload]);
}

class WsConnection {
    constructor(socket) {
        this.socket = socket;
        this.buffer = Buffer.alloc(0);
        this.onMessage = () => {};
        this.onClose = () => {};
        socket.on('data', d => this.read(d));
        socket.on('close', () => this.onClose());
        socket.on('error', () => {});
    }

    send(value) {
        if (!this.socket.destroyed) this.socket.write(frame(1, Buffer.from(JSON.stringify(value))));
    }

    close(code) {
        const b = Buffer.alloc(2);
        b.writeUInt16BE(code);
        if (!this.socket.destroyed) this.socket.end(frame(8, b));
    }

    cut() {
        this.socket.destroy();
    }

    read(data) {
        this.buffer = Buffer.concat([this.buffer, data]);
        for (;;) {
            const b = this.buffer;
            if (b.length < 2) return;
            let n = b[1] & 127;
            let at = 2;
            if (n === 126) {
                if (b.length < 4) return;
                n = b.readUInt16BE(2);
                at = 4;
            } else if (n === 127) return this.cut();
            if (b.length < at + 4 + n) return;
            const mask = b.subarray(at, at + 4);
            const payload = Buffer.from(b.subarray(at + 4, at + 4 + n));
            for (let i = 0; i < n; i++) payload[i] ^= mask[i & 3];
            this.buffer = b.subarray(at + 4 + n);
            const opcode = b[0] & 15;
            if (opcode === 1) this.onMessage(payload.toString());
            else if (opcode === 8) this.socket.end(frame(8, payload.subarray(0, 2)));
            else if (opcode === 9) this.socket.write(frame(10, payload));
        }
    }
}
