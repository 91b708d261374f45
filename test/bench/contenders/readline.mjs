// serialport and its readline as its manual shows them; nothing is done with a line. Arguments: port, and whether it is parsed as JSON.
import { ReadlineParser, SerialPort } from 'serialport';

const [path, parses] = process.argv.slice(2);
const port = new SerialPort({ path, baudRate: 115_200 });
let count = 0;
port.pipe(new ReadlineParser({ delimiter: '\n' })).on('data', (line) => {
  count += parses === 'true' ? Object.keys(JSON.parse(line)).length : 1;
});
port.on('open', () => process.stdout.write('reads\n'));
process.on('SIGTERM', () => {
  process.stdout.write(`${count}\n`);
  process.exit(0);
});
