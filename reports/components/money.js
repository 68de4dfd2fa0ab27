const compact = new Intl.NumberFormat('en-US', { notation: 'compact', maximumFractionDigits: 1 });
const whole = new Intl.NumberFormat('en-US', { maximumFractionDigits: 0 });
const cents = new Intl.NumberFormat('en-US', { style: 'currency', currency: 'USD' });
const smallUsd = new Intl.NumberFormat('en-US', {
	style: 'currency',
	currency: 'USD',
	minimumSignificantDigits: 2,
	maximumSignificantDigits: 2
});
const everyDigit = new Intl.NumberFormat('en-US', {
	style: 'currency',
	currency: 'USD',
	maximumFractionDigits: 12
});
const oneDecimal = new Intl.NumberFormat('en-US', {
	minimumFractionDigits: 1,
	maximumFractionDigits: 1
});

const isNumber = (value) => value !== null && value !== undefined && !Number.isNaN(value);
const sign = (value) => (value < 0 ? '−' : '');
// 1.2 k and 3.4 M, with a space that does not break
const spaced = (text) => text.replace('K', '\u00a0k').replace(/([MBT])$/, '\u00a0$1');

/** Money in full: $1,234.56; two digits that count below a cent: $0.0042. */
export const usd = (value) => {
	if (!isNumber(value)) return '–';
	const size = Math.abs(value);
	return sign(value) + (size > 0 && size < 0.01 ? smallUsd : cents).format(size);
};

/** A price, which is never rounded: $3.00, $0.025. */
export const price = (value) => (isNumber(value) ? everyDigit.format(value) : '–');

/** Money for an axis or a tile: $12.3 k from ten thousand on, the small ones as they are. */
export const shortUsd = (value) => {
	if (!isNumber(value)) return '–';
	const size = Math.abs(value);
	return size < 10000 ? usd(value) : `${sign(value)}$${spaced(compact.format(size))}`;
};

/** A tick of an axis, which is a round number: $20, $2.5, $12 k. */
export const axisUsd = (value) =>
	value < 1000 ? `$${Number(value.toPrecision(6))}` : `$${spaced(compact.format(value))}`;

export const count = (value) => (isNumber(value) ? whole.format(value) : '–');

/** A count for a tile: 815 M, 12.3 k. */
export const shortCount = (value) =>
	isNumber(value) ? (value < 10000 ? count(value) : spaced(compact.format(value))) : '–';

export const share = (value) => (isNumber(value) ? `${oneDecimal.format(value * 100)}\u00a0%` : '–');

export const change = (value) =>
	isNumber(value) ? `${value > 0 ? '+' : value < 0 ? '−' : ''}${share(Math.abs(value))}` : '–';

export const signedUsd = (value) =>
	isNumber(value) ? `${value > 0 ? '+' : ''}${usd(value)}` : '–';

export const milliseconds = (value) =>
	!isNumber(value) ? '–' : value < 1000 ? `${count(value)}\u00a0ms` : `${oneDecimal.format(value / 1000)}\u00a0s`;

export const FORMATS = {
	usd, signedUsd, price, count, share, change, milliseconds,
	text: (value) => value ?? '–'
};

/** Steps of a scale from 0 that a reader can halve: [0, 5, 10, 15] for 13. */
export function ticks(greatest) {
	if (!(greatest > 0)) return [0, 1];
	const rough = greatest / 3;
	const power = 10 ** Math.floor(Math.log10(rough));
	const step = [1, 2, 2.5, 5, 10].map((factor) => factor * power).find((size) => size >= rough);
	return Array.from({ length: Math.ceil(greatest / step - 1e-9) + 1 }, (_, index) => index * step);
}

/** The colour of a team or model, the same on every page; what is no such thing is grey. */
export const colourOf = (colours, name) => {
	const found = Array.from(colours ?? []).find((row) => row.name === name);
	return `var(--series-${found ? found.colour : 'other'})`;
};
