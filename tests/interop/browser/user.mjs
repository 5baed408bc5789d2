// A user with a browser of their own, headless Chromium. ../README.md says what each command does.

import { appendFileSync, mkdirSync } from 'node:fs';

import { chromium } from 'playwright-core';

// An address outside is never looked up: the provider's pages name a font there.
const FLAGS = [
  '--headless', '--no-sandbox', '--disable-gpu', '--disable-quic', '--no-first-run',
  '--disable-background-networking', '--disable-component-update', '--disable-sync',
  '--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1, EXCLUDE localhost',
];
const PATIENCE = 60_000;

const issuer = process.env.OIDC_PROVIDER;
const pictures = process.env.PICTURES;
mkdirSync(pictures, { recursive: true });

function expect(is, what) {
  if (!is) throw new Error(`not as expected: ${what}`);
}

/** Fills in and submits the provider's forms, one after the other, until `isOver`. */
async function answerForms(page, isOver, name = 'alice') {
  for (let forms = 0; forms < 8; forms++) {
    await page.waitForLoadState();
    if (isOver(new URL(page.url()), await page.innerText('body'))) return;
    const login = page.locator('input[name=login]');
    if (await login.count()) {
      await login.fill(name);
      await page.fill('input[name=password]', 'any');
    }
    await Promise.all([
      page.waitForNavigation({ waitUntil: 'load' }),
      page.locator('button[type=submit]').first().click(),
    ]);
  }
  throw new Error(`too many forms; the last is ${page.url()}`);
}

const isElsewhere = (url) => url.origin !== issuer;

/** Logs in at the address that a program has opened, to the page that the program answers with. */
async function login({ page }, address, note) {
  const say = (text) => note && appendFileSync(note, `${text}\n`);
  say('opened');
  await page.goto(address);
  await answerForms(page, isElsewhere);
  const heading = await page.innerText('h1');
  const { search, hash } = new URL(page.url());
  expect(search === '' && hash === '', 'no code in the address bar');
  for (const colorScheme of ['light', 'dark']) {
    await page.emulateMedia({ colorScheme });
    await page.setViewportSize({ width: 390, height: 600 });
    await page.screenshot({ path: `${pictures}/answer-page-${colorScheme}.png` });
  }
  say(`saw ${heading}`);
}

/** Logs in on a machine that cannot reach the program, and copies the address of the last page. */
async function elsewhere({ browser }, address) {
  const proxy = { server: 'http://127.0.0.1:1', bypass: new URL(issuer).host }; // nothing listens there
  const page = await (await browser.newContext({ proxy })).newPage();
  const isLast = (request) => new URL(request.url()).pathname === '/callback';
  const last = page.waitForEvent('requestfailed', { predicate: isLast, timeout: PATIENCE });
  await page.goto(address);
  await Promise.race([last, answerForms(page, () => false).catch(() => last)]);
  console.log((await last).url());
}

/** Types the code into the provider's page. */
async function device({ page }, address, code) {
  await page.goto(address);
  await page.fill('input[name=user_code]', code);
  await answerForms(page, (url, text) => /success/i.test(text));
}

const renewals = async (client) => Number(await granted(client, 'refresh_token'));

/** Uses a web application with this client, whose tokens live 8 s, in two tabs and two browsers. */
async function web({ browser, context, page: first }, home, client) {
  const second = await context.newPage();
  const callbacks = [];
  context.on('request', (request) => {
    if (new URL(request.url()).pathname === '/callback') callbacks.push(request.url());
  });
  const isHome = (url) => url.origin + url.pathname === home;
  const begin = async (tab) => {
    await tab.goto(home);
    await tab.click('text=Log in');
    await tab.waitForURL((url) => url.origin === issuer);
  };
  const isLoggedIn = async (tab) => {
    expect(await tab.innerText('h1') === 'alice', 'the user');
    expect((await tab.innerText('pre')).includes(`"client_id":"${client}"`), 'the answer of the API');
  };
  const isRefused = async (tab, callback) => {
    const answer = await tab.goto(callback);
    const text = await tab.innerText('body');
    expect(answer.status() === 400 && text.includes('has not begun this login'), `a refusal, not ${text}`);
  };

  // Both logins are under way before one ends, and the later ends first.
  await begin(first);
  await begin(second);
  for (const tab of [second, first]) {
    await answerForms(tab, isHome);
    await isLoggedIn(tab);
  }
  await first.screenshot({ path: `${pictures}/profile.png` });

  expect(callbacks.length === 2, 'two callbacks');
  for (const callback of [...callbacks]) await isRefused(first, callback);

  // Another browser has no use for a callback, and does not use it up.
  let missed = `${home}login`;
  for (let redirects = 0; new URL(missed).pathname !== '/callback'; redirects++) {
    const answer = await context.request.get(missed, { maxRedirects: 0 });
    const { location } = answer.headers();
    expect(location && redirects < 8, `a redirect from ${missed}, not ${answer.status()}`);
    missed = new URL(location, missed).href;
  }
  const stranger = await (await browser.newContext()).newPage();
  await isRefused(stranger, missed);
  await stranger.goto(home);
  expect(await stranger.locator('text=Log in').count() === 1, 'nobody is logged in there');
  await second.goto(missed);
  await isLoggedIn(second);

  // A token is renewed in the second half of its lifetime.
  await first.waitForTimeout(10_500);
  const before = await renewals(client);
  await Promise.all([first.goto(home), second.goto(home)]);
  await Promise.all([isLoggedIn(first), isLoggedIn(second)]);
  expect(await renewals(client) === before + 1, 'one renewal for two tabs');
  await first.waitForTimeout(10_500);
  await first.reload();
  await isLoggedIn(first);
  expect(await renewals(client) === before + 2, 'the new refresh token was stored');

  await first.click('text=Log out');
  await answerForms(first, isHome);
  await second.reload();
  for (const tab of [first, second]) {
    expect(await tab.locator('text=Log in').count() === 1, 'the user is logged out in both tabs');
  }
  await begin(first);
  expect(await first.locator('input[name=login]').count() === 1, 'and at the provider');
}

/** Asks the provider: a client to be registered, or how often a grant has succeeded. */
async function register(_, metadata) {
  const { status } = await fetch(`${issuer}/_test/client`, { method: 'POST', body: metadata });
  expect(status === 201, 'a registration');
}

async function granted(client, grant) {
  const answer = await fetch(`${issuer}/_test/counts?client=${client}`);
  return (await answer.json())[grant]?.ok ?? 0;
}

async function count(_, client, grant) {
  console.log(await granted(client, grant));
}

const COMMANDS = { login, elsewhere, device, web, register, count };
const NEED_NO_BROWSER = ['register', 'count'];

const [command, ...parameters] = process.argv.slice(2);
if (NEED_NO_BROWSER.includes(command)) {
  await COMMANDS[command](null, ...parameters);
} else {
  const browser = await chromium.launch({ executablePath: '/usr/bin/chromium', args: FLAGS, timeout: PATIENCE });
  const context = await browser.newContext();
  context.setDefaultTimeout(PATIENCE);
  const page = await context.newPage();
  const limit = new Promise((_, reject) => {
    setTimeout(() => reject(new Error('the user has lost patience')), 3 * PATIENCE).unref();
  });
  try {
    await Promise.race([COMMANDS[command]({ browser, context, page }, ...parameters), limit]);
  } catch (error) {
    for (const [number, open] of browser.contexts().flatMap((each) => each.pages()).entries()) {
      await open.screenshot({ path: `${pictures}/failed-${command}-${number}.png` }).catch(() => {});
    }
    throw error;
  } finally {
    await browser.close();
  }
}
