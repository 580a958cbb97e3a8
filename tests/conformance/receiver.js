// A receiver as somebody builds one for the published document: checks the signature with the document's own means and
// writes every request it gets to a file, a line of JSON each. Run with the file and the secret; says its port.
'use strict';
const crypto = require('node:crypto');
const fs = require('node:fs');
const http = require('node:http');

const [file, secret] = process.argv.slice(2);

// Both sides as buffers, compared in constant time; this throws where their lengths differ.
function isAuthentic(body, signature, timestamp) {
  const digest = crypto.createHmac('sha256', secret).update(`${timestamp}.${body}`).digest('hex');
  return crypto.timingSafeEqual(Buffer.from(`sha256=${digest}`), Buffer.from(signature));
}

function judge(body, headers) {
  const signature = headers['x-kejue-signature'];
  if (signature === undefined) return 'unsigned';
  try {
    return isAuthentic(body, signature, headers['x-kejue-timestamp']) ? 'authentic' : 'forged';
  } catch (error) {
    return `throws ${error.code}`;
  }
}

const server = http.createServer((request, response) => {
  const chunks = [];
  request.on('data', (chunk) => chunks.push(chunk));
  request.on('end', () => {
    const body = Buffer.concat(chunks);
    const verdict = judge(body.toString('utf8'), request.headers);
    const line = { path: request.url, headers: request.headers, body: body.toString('base64'), verdict };
    fs.appendFileSync(file, `${JSON.stringify(line)}\n`);
    response.writeHead(200).end('ok');
  });
});
server.listen(0, '127.0.0.1', () => console.log(server.address().port));
