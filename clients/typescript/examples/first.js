// Stores a message and recalls it: node first.js [URL [KEY]]
import { Foxing } from 'foxing-memory';

const [baseUrl = 'http://127.0.0.1:8765', key] = process.argv.slice(2);
const foxing = new Foxing({ baseUrl, ...(key && { key }) });

await foxing.remember('javascript-example', [{ role: 'user', content: 'We ship Titan on 14 March.' }]);
const { spans } = await foxing.recall('javascript-example', 'when do we ship Titan?');
console.log(spans[0]?.text);
