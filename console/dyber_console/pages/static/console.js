// Makes pages live: swaps what changed, copies commands, opens calls beside their list, and has keys for the list.
(() => {
    'use strict';
    const body = document.body;
    const wide = matchMedia('(min-width: 1241px)');
    const announce = (text) => {
        const line = document.getElementById('announce');
        if (line) {
            line.textContent = text;
        }
    };

    // Copies the text beside a button, and shows for two seconds that it did.
    async function copy(button) {
        const text = button.closest('[data-copied-from]')?.dataset.copiedFrom
            || button.parentElement.querySelector('code, pre')?.textContent
            || button.closest('.code')?.querySelector('pre')?.textContent || '';
        try {
            await navigator.clipboard.writeText(text.trim());
        } catch {
            const range = document.createRange();
            const shown = button.parentElement.querySelector('code, pre');
            if (shown) {
                range.selectNodeContents(shown);
                getSelection().removeAllRanges();
                getSelection().addRange(range);
            }
            return;
        }
        button.classList.add('done');
        announce(body.dataset.copied);
        setTimeout(() => button.classList.remove('done'), 2000);
    }

    // Counts the ages of what is shown from when it came, so that old data never looks fresh.
    let received = Date.now();
    function ago(seconds) {
        const units = [['day', 86400], ['hour', 3600], ['minute', 60], ['second', 1]];
        const [unit, length] = units.find((each) => seconds >= each[1]) || units.at(-1);
        const count = Math.floor(seconds / length);
        return JSON.parse(body.dataset.ages)[unit][count === 1 ? 0 : 1].replace(/\d+/, count);
    }
    function tellAges() {
        const passed = Math.max(0, Date.now() - received) / 1000;
        document.querySelectorAll('.stamp[data-age]').forEach((stamp) => {
            const age = Number(stamp.dataset.age) + passed;
            const stale = age > Number(body.dataset.stale);
            const words = (stale ? body.dataset.old : body.dataset.fresh).replace('{ago}', ago(age));
            stamp.classList.toggle('stale', stale);
            if (stamp.textContent !== words) {
                stamp.textContent = words;
            }
        });
        if (body.classList.contains('late')) {
            document.getElementById('late-age').textContent = body.dataset.lateAge.replace('{ago}', ago(passed));
        }
    }
    setInterval(() => body.dataset.ages && tellAges(), 1000);

    // Says that what is shown is not up to date, or takes it back.
    function tellLate(late) {
        const bar = document.getElementById('late');
        if (late && bar.hidden) {
            document.title = `${body.dataset.late} · ${document.title}`;
            announce(body.dataset.late);
        } else if (!late && !bar.hidden) {
            announce('');
        }
        bar.hidden = !late;
        body.classList.toggle('late', late);
        tellAges();
    }

    // Says that an answer did not come, and asks again soon.
    let retry = null;
    function missed() {
        tellLate(true);
        retry ||= setTimeout(() => {
            retry = null;
            refresh();
        }, 2000);
    }

    // Returns a page of the console that has a part; fails for any other answer, such as the gateway's.
    async function fetchPage(address, part) {
        const answer = await fetch(address, { headers: { 'HX-Request': 'true' }, signal: AbortSignal.timeout(8000) });
        const signIn = answer.headers.get('HX-Redirect');
        if (signIn) {
            location.assign(signIn);
            return null;
        }
        const text = await answer.text();
        // A page that says that something is not recorded has the status 404, and is the console's too.
        const known = answer.ok || answer.status === 404;
        if (!known || !new DOMParser().parseFromString(text, 'text/html').querySelector(part)) {
            throw new Error(`the answer with the status ${answer.status} has no ${part}`);
        }
        return text;
    }
    function swap(text, part, how) {
        return htmx.swap({ text, target: part, select: part, swap: how, sourceElement: body });
    }

    // Fetches this page again and swaps what differs; at most once a second, and never while one is on its way.
    let running = false;
    let again = false;
    let last = 0;
    async function refresh() {
        if (!window.htmx || document.hidden || !body.dataset.events) {
            return;
        }
        if (running) {
            again = true;
            return;
        }
        running = true;
        const wait = Math.max(0, last + 1000 - Date.now());
        await new Promise((done) => setTimeout(done, wait));
        try {
            const here = location.pathname + location.search;
            const text = await fetchPage(here, '#frame');
            if (here !== location.pathname + location.search) {
                again = true;
            } else if (text !== null) {
                received = Date.now();
                await swap(text, '#frame', 'outerMorph');
                tellLate(false);
            }
        } catch {
            missed();
        }
        last = Date.now();
        running = false;
        if (again) {
            again = false;
            refresh();
        }
    }

    // A stream names the parts that changed. Without a change the page is renewed before its data counts as old.
    let stream = null;
    function listen() {
        if (!body.dataset.events || stream || document.hidden) {
            return;
        }
        stream = new EventSource(body.dataset.events);
        stream.addEventListener('message', (event) => {
            const shown = (body.dataset.parts || '').split(' ');
            if (event.data.split(' ').some((part) => shown.includes(part))) {
                refresh();
            }
        });
        // The browser opens a stream again that ended, but none that was refused.
        stream.addEventListener('error', (event) => {
            if (event.target === stream && stream.readyState === EventSource.CLOSED) {
                stream = null;
                setTimeout(listen, 5000);
            }
        });
    }
    function pause() {
        stream?.close();
        stream = null;
    }
    document.addEventListener('visibilitychange', () => {
        if (document.hidden) {
            pause();
        } else {
            listen();
            refresh();
        }
    });
    addEventListener('pagehide', pause);
    addEventListener('pageshow', listen);
    setInterval(refresh, 7000);
    listen();

    // While a code is shown, its state is asked for every two seconds.
    setInterval(() => {
        if (document.querySelector('[data-follow]')) {
            refresh();
        }
    }, 2000);

    // Opens a call beside the list where there is room; Back leads to what was open before, but not through each key.
    let opened = 0;
    async function pane(link, byKey) {
        const mine = ++opened;
        let text = null;
        try {
            text = await fetchPage(link.getAttribute('href'), '#call');
        } catch {
            missed();
        }
        if (text === null || mine !== opened) {
            return;
        }
        await swap(text, '#call', 'outerMorph ignoreTitle:true');
        document.querySelector('.call-table .picked')?.classList.remove('picked');
        link.closest('tr').classList.add('picked');
        const heading = document.querySelector('#call h1');
        if (heading) {
            const second = document.createElement('h2');
            second.id = heading.id;
            second.className = heading.className;
            second.append(...heading.childNodes);
            heading.replaceWith(second);
        }
        const address = new URL(location.href);
        const replaces = byKey && address.searchParams.has('call');
        address.searchParams.set('call', document.getElementById('call').dataset.id);
        if (address.href !== location.href) {
            history[replaces ? 'replaceState' : 'pushState'](null, '', address);
        }
    }
    addEventListener('popstate', () => {
        opened += 1;
        last = 0;
        refresh();
    });

    document.addEventListener('click', (event) => {
        const button = event.target.closest('[data-copy]');
        if (button) {
            copy(button);
            return;
        }
        const link = event.target.closest('[data-pane]');
        const plain = event.button === 0 && !event.metaKey && !event.ctrlKey && !event.shiftKey;
        if (link && plain && wide.matches && window.htmx && document.getElementById('call')) {
            event.preventDefault();
            pane(link, false);
        }
    });

    // Counts down until a password may be tried again, and then lets it be.
    const lock = document.querySelector('[data-locked]');
    if (lock) {
        const button = document.querySelector('form .primary');
        const end = Date.now() + 1000 * Number(lock.dataset.locked);
        const many = lock.textContent;
        const count = () => {
            const left = Math.ceil((end - Date.now()) / 1000);
            button.disabled = left > 0;
            lock.textContent = left === 1 ? lock.dataset.one : many.replace(/\d+/, left);
            if (left <= 0) {
                clearInterval(counting);
                lock.textContent = lock.dataset.over;
                announce(lock.dataset.over);
            }
        };
        const counting = setInterval(count, 1000);
        count();
    }

    // A form that waits for a service shows that it does, and is sent once.
    document.addEventListener('submit', (event) => {
        const button = event.target.querySelector('[data-busy]');
        if (!button) {
            return;
        }
        if (button.getAttribute('aria-disabled') === 'true') {
            event.preventDefault();
            return;
        }
        button.setAttribute('aria-disabled', 'true');
        const ring = document.createElement('span');
        ring.className = 'ring';
        button.querySelector('svg')?.replaceWith(ring);
        const words = document.createElement('span');
        button.lastChild.replaceWith(words);
        const started = Date.now();
        const tell = () => {
            words.textContent = button.dataset.busy.replace('0', Math.round((Date.now() - started) / 1000));
        };
        tell();
        announce(words.textContent);
        setInterval(tell, 1000);
    });
    addEventListener('pageshow', (event) => {
        // A page from the browser's memory still looks as if it waited.
        if (event.persisted && document.querySelector('[data-busy][aria-disabled]')) {
            location.reload();
        }
    });

    document.addEventListener('change', (event) => {
        if (event.target.matches('[data-submit]')) {
            event.target.form.requestSubmit();
        }
    });

    function step(distance) {
        const links = [...document.querySelectorAll('[data-pane]')];
        const at = links.findIndex((link) => link === document.activeElement || link.closest('.picked'));
        const next = links[Math.min(links.length - 1, Math.max(0, at + distance))];
        next?.focus();
        if (next && wide.matches && window.htmx && document.getElementById('call')) {
            pane(next, true);
        }
    }

    document.addEventListener('keydown', (event) => {
        if (event.metaKey || event.ctrlKey || event.altKey) {
            return;
        }
        if (event.key === 'Escape') {
            document.querySelectorAll('details.more[open], details.pop[open]').forEach((details) => {
                details.open = false;
            });
            return;
        }
        if (event.target.matches('input, select, textarea')) {
            return;
        }
        if (event.key === '/') {
            const field = document.querySelector('[role="search"] input:not([type="hidden"])');
            if (field) {
                event.preventDefault();
                field.focus();
            }
        } else if (event.key === 'j' || event.key === 'k') {
            step(event.key === 'j' ? 1 : -1);
        }
    });
})();
