// SPDX-License-Identifier: Apache-2.0
// A Raspberry Pi Pico that rp2040js emulates, its UART0 at a TCP port: node pico.mjs RP2040JS IMAGE
//
// rp2040js reads flash but has no flash chip, so one is here: it takes commands over the SSI, and ends
// the program where code that runs from flash talks to it. In place of the ROM, which is Raspberry Pi's,
// the boot stage is copied to RAM and started.
import { readFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';

const [folder, image] = process.argv.slice(2);
const { RP2040, ConsoleLogger, LogLevel } = await import(
  pathToFileURL(join(folder, 'node_modules/rp2040js/dist/esm/index.js')).href);

const FLASH = 0x10000000, RAM = 0x20000000, BOOT_AT = 0x20041f00, BOOT_BYTES = 256;
const CONTROL = 0x00, DATA = 0x60, STATE = 0x28, SELECT = 0x0c, LOW = 2, BYTES = 7;
const NANOSECONDS = 8, SLICE = 20000, FEED_EVERY = 32;

const mcu = new RP2040();
mcu.logger = new ConsoleLogger(LogLevel.Error, false);
mcu.flash.set(readFileSync(image), 0);

function chip(ssi, qspi) {
  let selected = false, command = [], answers = [], writable = false, busy = 0;
  const reads = ssi.readUint32.bind(ssi), writes = ssi.writeUint32.bind(ssi);
  const commanding = () => (reads(CONTROL) >> 16 & 31) === BYTES;
  const check = () => {
    const at = mcu.core.PC >>> 0;
    if (commanding() && at >= FLASH && at < RAM) {
      console.error(`code at ${at.toString(16)} runs from flash that cannot be read`);
      process.exit(3);
    }
  };
  const finish = () => {
    const [what, a, b, c, ...bytes] = command, address = a << 16 | b << 8 | c;
    if (what === 0x06) writable = true;
    if (writable && what === 0x20 && command.length === 4) {
      mcu.flash.fill(0xff, address & ~4095, (address & ~4095) + 4096);
      writable = false;
      busy = 20;
    }
    if (writable && what === 0x02 && bytes.length > 0) {
      bytes.forEach((byte, i) => { mcu.flash[address & ~255 | (address + i) & 255] &= byte; });
      writable = false;
      busy = 5;
    }
    command = [];
  };
  const exchange = (byte) => {
    command.push(byte);
    return command[0] === 0x05 && command.length > 1 ? Number(busy-- > 0) : 0;
  };
  ssi.readUint32 = (offset) => {
    check();
    if (commanding() && offset === STATE) return 2 | (answers.length > 0 ? 8 : 0);
    return commanding() && offset === DATA ? answers.shift() ?? 0 : reads(offset);
  };
  ssi.writeUint32 = (offset, value) => {
    check();
    if (commanding() && offset === DATA) answers.push(selected ? exchange(value & 255) : 0);
    else writes(offset, value);
  };
  let control = 0;
  qspi.readUint32 = (offset) => offset === SELECT ? control : 0;
  qspi.writeUint32 = (offset, value) => {
    if (offset !== SELECT) return;
    control = value;
    const now = (value >> 8 & 3) === LOW;
    if (selected && !now) finish();
    selected = now;
  };
}
chip(mcu.peripherals[0x18000], mcu.peripherals[0x40018]);

// With PRIMASK set a pending interrupt ends WFI and is not taken; rp2040js takes it.
const taken = mcu.core.checkForInterrupts.bind(mcu.core);
mcu.core.checkForInterrupts = () => mcu.core.PM
  ? (mcu.core.pendingInterrupts & mcu.core.enabledInterrupts) !== 0 : taken();

let line = null, arrived = [];
const sent = [];
mcu.uart[0].onByte = (byte) => sent.push(byte);

function feed() {
  const fifo = mcu.uart[0].rxFIFO;
  while (arrived.length > 0 && fifo.itemCount < fifo.size) mcu.uart[0].feedByte(arrived.shift());
}

function run() {
  const { core } = mcu;
  for (let i = 0; i < SLICE; i++) {
    if (i % FEED_EVERY === 0) feed();
    if (core.waiting) {
      if (core.pendingInterrupts & core.enabledInterrupts) core.waiting = false;
      else break;
    }
    mcu.clock.tick(core.executeInstruction() * NANOSECONDS);
  }
  if (sent.length > 0) {
    const bytes = Buffer.from(sent.splice(0));
    if (line !== null) line.write(bytes);
  }
  if (core.waiting && arrived.length === 0) setTimeout(run, 1);
  else setImmediate(run);
}

const server = createServer({ noDelay: true }, (socket) => {
  line = socket;
  socket.on('data', (data) => { for (const byte of data) arrived.push(byte); });
  socket.on('error', () => {});
  socket.on('close', () => { if (line === socket) line = null; });
});
server.listen(0, '127.0.0.1', () => {
  console.log(`socket://127.0.0.1:${server.address().port}`);
  mcu.sram.set(mcu.flash.subarray(0, BOOT_BYTES), BOOT_AT - RAM);
  mcu.core.SP = BOOT_AT;
  mcu.core.PC = BOOT_AT;
  run();
});
