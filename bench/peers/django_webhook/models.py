"""What is told: every fact that is saved goes to every receiver."""

from django.db import models


class Fact(models.Model):
    number = models.IntegerField()
    transcript = models.TextField()

    def __str__(self) -> str:
        return str(self.number)
