"""Learning from bags: an embolus says that one of its candidates shows it, not that all of them do.

mi-SVM of Andrews, Tsochantaridis and Hofmann 2002 (NIPS 15): the labels of the instances in positive bags are guessed,
a support vector machine is fitted, and the guess is made anew from its answers, until it no longer changes. Answers are
asked of machines fitted without the patient: one that has learnt an instance by heart only repeats the guess.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from sklearn.model_selection import GroupKFold, cross_val_predict
from sklearn.svm import SVC

N_FOLDS = 5  # chosen: four fifths of the patients answer nearly as all would
MOST_ROUNDS = 20  # chosen: it settles within a few; guesses may also follow each other in a circle


@dataclass(frozen=True)
class BagClassifier:
    """A fitted machine, and for people: rounds until the guess was settled, instances taken as positive in the end."""

    machine: SVC
    rounds: int
    n_witnesses: int

    def scores(self, features: np.ndarray) -> np.ndarray:
        """(N,) in [0, 1], rising with the distance from the machine's boundary, 0.5 on it; no probability."""
        return 1 / (1 + np.exp(-np.clip(self.machine.decision_function(features), -40, 40)))


def fit_bags(
    features: np.ndarray, bags: np.ndarray, groups: np.ndarray, penalty: float, width: float, seed: int
) -> BagClassifier:
    """Fit on instances, (N, F), standardised.

    bags: (N,) int, the positive bag's number, -1 for a negative instance. groups: (N,), the patient of each.
    penalty: the machine's C. width: its gamma, times the number of features. Both classes count the same in all.
    In each round an instance of a positive bag is positive where the others' machine says so, and the best of a bag
    always is. Where the patients are too few to fit without one of them, the first guess stays.
    Raises ValueError if there is no positive bag or no negative instance.
    """
    in_bag = bags >= 0
    if in_bag.all() or not in_bag.any():
        raise ValueError(f"{int(in_bag.sum())} of {len(bags)} instances are in positive bags; both kinds are needed")
    machine = SVC(C=penalty, gamma=width / features.shape[1], class_weight="balanced", random_state=seed)
    n_folds = min(N_FOLDS, len(np.unique(groups)))
    folds = list(GroupKFold(n_folds).split(features, groups=groups)) if n_folds > 1 else []
    can_ask = bool(folds) and all(in_bag[others].any() and not in_bag[others].all() for others, _ in folds)
    positive, rounds, seen = in_bag, 0, set()
    while can_ask and positive.tobytes() not in seen and rounds < MOST_ROUNDS:
        rounds += 1
        seen.add(positive.tobytes())
        answers = cross_val_predict(machine, features, positive, cv=folds, method="decision_function")
        positive = witnesses(np.asarray(answers), bags)
    return BagClassifier(machine.fit(features, positive), rounds, int(positive.sum()))


def witnesses(decision: np.ndarray, bags: np.ndarray) -> np.ndarray:
    """(N,) bool: the instances of positive bags that are decided positive, and the best one of each bag."""
    chosen = (bags >= 0) & (decision > 0)
    order = np.argsort(-decision, kind="stable")
    numbers, first = np.unique(bags[order], return_index=True)
    chosen[order[first[numbers >= 0]]] = True
    return chosen


def best_of_bags(scores: np.ndarray, bags: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """(label, score), one for each positive bag (its best instance) and for each negative instance."""
    numbers = np.unique(bags[bags >= 0])
    best = np.array([scores[bags == number].max() for number in numbers])
    negative = scores[bags < 0]
    return np.repeat([1, 0], [len(best), len(negative)]), np.concatenate([best, negative])
