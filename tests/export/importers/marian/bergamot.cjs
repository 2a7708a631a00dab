// Translates texts with the original program, Marian in WebAssembly: a line in, a line out.
//   node bergamot.cjs FOLDER MODEL VOCABULARY PRECISION [SHORTLIST] <texts >translations
// FOLDER: node_modules of `npm install @browsermt/bergamot-translator@0.4.9`, whose `worker` folder
// needs a package.json with {"type": "commonjs"}. PRECISION: float32 or int8shiftAlphaAll.
const {readFileSync} = require('node:fs');
const {join} = require('node:path');
const {Worker} = require('node:worker_threads');

const [folder, model, vocabulary, precision, shortlist] = process.argv.slice(2);
const path = join(folder, '@browsermt/bergamot-translator/worker/translator-worker.js');
const worker = new Worker(path);
const pending = new Map();
let number = 0;

worker.on('message', ({id, result, error}) => {
    const {accept, reject} = pending.get(id);
    if (error) reject(new Error(error.message)); else accept(result);
});

function call(name, ...args) {
    return new Promise((accept, reject) => {
        pending.set(++number, {accept, reject});
        worker.postMessage({id: number, name, args});
    });
}

function bytes(path) {
    const content = readFileSync(path);
    return content.buffer.slice(content.byteOffset, content.byteOffset + content.byteLength);
}

async function main() {
    await call('initialize', {});
    const buffers = {
        model: bytes(model),
        shortlist: shortlist ? bytes(shortlist) : new ArrayBuffer(0),
        vocabs: [bytes(vocabulary)],
        qualityModel: null,
        config: {'gemm-precision': precision},
    };
    const pair = {from: 'en', to: 'de'};
    await call('loadTranslationModel', pair, buffers);
    const lines = readFileSync(0, 'utf-8').replace(/\n$/, '').split('\n');
    for (const text of lines) {
        const [response] = await call('translate', {models: [pair], texts: [{text, html: false}]});
        process.stdout.write(response.target.text + '\n');
    }
}

main().then(() => process.exit(0), (error) => { console.error(error); process.exit(1); });
